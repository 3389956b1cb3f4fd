/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SMB 1, 2 and 3: who logs in, trees, files and what is written to and read from them, pipes with DCERPC in them; in
 * pieces of any length, in one frame or in many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/talk.h"

enum { NEGOTIATE = 0, SETUP = 1, TREE = 3, CREATE = 5, CLOSE = 6, READ = 8, WRITE = 9, IOCTL = 11 };
#define PIPE_TRANSCEIVE 0x0011c017
#define FAILED          0xc0000022u
#define UP              APP_TO_SERVER
#define DOWN            APP_TO_CLIENT

static struct talk t;
static uint32_t frame_at, message_at;

static void fresh(void)
{
    t.n = t.n_turns = 0;
}

static void frame(enum app_dir dir)
{
    talk_turn(&t, dir);
    frame_at = t.n;
    talk_zeros(&t, 4);
}

static void frame_end(void)
{
    uint32_t n = t.n - frame_at - 4;

    t.b[frame_at + 1] = (uint8_t)(n >> 16);
    t.b[frame_at + 2] = (uint8_t)(n >> 8);
    t.b[frame_at + 3] = (uint8_t)n;
}

/* --- version 2 ------------------------------------------------------------------------------------------------------ */

/* Whose number ends in the digit. */
static void file_id(uint8_t n)
{
    for (unsigned i = 0; i < 16; i++)
        t.b[t.n++] = n == 0xff ? 0xff : i == 15 ? n : 0x11;
}

static void head2(uint16_t command, uint64_t id, uint32_t status, bool response)
{
    message_at = t.n;
    talk_add(&t, "\xfeSMB", 4);
    talk_le(&t, 64, 2);
    talk_le(&t, 0, 2);
    talk_le(&t, status, 4);
    talk_le(&t, command, 2);
    talk_le(&t, 1, 2);
    talk_le(&t, response, 4);
    talk_le(&t, 0, 4);
    talk_le(&t, id, 8);
    talk_le(&t, 0, 4);
    talk_le(&t, 5, 4); /* tree */
    talk_le(&t, 0x4444, 8);
    talk_zeros(&t, 16);
}

/* Another message follows in this frame. */
static void next2(void)
{
    while ((t.n - message_at) % 8 != 0)
        talk_zeros(&t, 1);
    talk_fill_le(&t, message_at + 20, t.n - message_at, 4);
}

static void one2(uint16_t command, uint64_t id, uint32_t status, enum app_dir dir)
{
    frame(dir);
    head2(command, id, status, dir == DOWN);
}

static void tree2(uint64_t id, const char *path)
{
    one2(TREE, id, 0, UP);
    talk_le(&t, 9, 4);
    talk_le(&t, 64 + 8, 2);
    talk_le(&t, 2 * strlen(path), 2);
    talk_utf16(&t, path);
    frame_end();
    one2(TREE, id, 0, DOWN);
    talk_le(&t, 16, 2);
    talk_le(&t, 1, 1);
    talk_zeros(&t, 13);
    frame_end();
}

static void create2(const char *name)
{
    talk_le(&t, 57, 2);
    talk_zeros(&t, 42);
    talk_le(&t, 64 + 56, 2);
    talk_le(&t, 2 * strlen(name), 2);
    talk_zeros(&t, 8);
    talk_utf16(&t, name);
}

static void created2(uint8_t file)
{
    talk_le(&t, 89, 2);
    talk_zeros(&t, 62);
    file_id(file);
    talk_zeros(&t, 8);
}

static void open2(uint64_t id, const char *name, uint8_t file)
{
    one2(CREATE, id, 0, UP);
    create2(name);
    frame_end();
    one2(CREATE, id, 0, DOWN);
    created2(file);
    frame_end();
}

static void write2(uint64_t offset, uint8_t file, const char *bytes, uint32_t n)
{
    talk_le(&t, 49, 2);
    talk_le(&t, 64 + 48, 2);
    talk_le(&t, n, 4);
    talk_le(&t, offset, 8);
    file_id(file);
    talk_zeros(&t, 16);
    talk_add(&t, bytes, n);
}

static void written(uint64_t id, uint64_t offset, uint8_t file, const char *bytes)
{
    one2(WRITE, id, 0, UP);
    write2(offset, file, bytes, (uint32_t)strlen(bytes));
    frame_end();
}

static void read2(uint64_t id, uint64_t offset, uint8_t file)
{
    talk_le(&t, 49, 2);
    talk_zeros(&t, 2);
    talk_le(&t, 65536, 4);
    talk_le(&t, offset, 8);
    file_id(file);
    talk_zeros(&t, 16);
    (void)id;
}

static void answer_read2(uint64_t id, const char *bytes)
{
    one2(READ, id, 0, DOWN);
    talk_le(&t, 17, 2);
    talk_le(&t, 64 + 16 + 4, 2);
    talk_le(&t, strlen(bytes), 4);
    talk_zeros(&t, 8 + 4); /* four of padding */
    talk_add(&t, bytes, strlen(bytes));
    frame_end();
}

static void close2(uint64_t id, uint8_t file)
{
    one2(CLOSE, id, 0, UP);
    talk_le(&t, 24, 2);
    talk_zeros(&t, 6);
    file_id(file);
    frame_end();
    one2(CLOSE, id, 0, DOWN);
    talk_zeros(&t, 60);
    frame_end();
}

static void login(void)
{
    static const char *const parts[] = {"CORP", "alice", "PC1"};
    uint32_t at = t.n, place = 64;

    talk_add(&t, "NTLMSSP\0", 8);
    talk_le(&t, 3, 4);
    talk_zeros(&t, 16);
    for (unsigned i = 0; i < 3; i++) {
        talk_le(&t, 2 * strlen(parts[i]), 2);
        talk_le(&t, 2 * strlen(parts[i]), 2);
        talk_le(&t, place, 4);
        place += 2 * (uint32_t)strlen(parts[i]);
    }
    talk_zeros(&t, 8);
    talk_le(&t, 1, 4);
    for (unsigned i = 0; i < 3; i++)
        talk_utf16(&t, parts[i]);
    assert_int_equal(t.n - at, place);
}

static void setup2(void)
{
    uint32_t at;

    one2(SETUP, 1, 0, UP);
    talk_le(&t, 25, 2);
    talk_zeros(&t, 10);
    talk_le(&t, 64 + 24, 2);
    at = t.n;
    talk_zeros(&t, 10);
    talk_add(&t, "\x60\x10\x06\x06 SPNEGO", 11);
    login();
    talk_fill_le(&t, at, t.n - at - 10, 2);
    frame_end();
}

static void session2(void)
{
    fresh();
    one2(NEGOTIATE, 0, 0, UP);
    talk_le(&t, 36, 2);
    talk_le(&t, 2, 2);
    talk_zeros(&t, 32);
    talk_le(&t, 0x202, 2);
    talk_le(&t, 0x311, 2);
    frame_end();
    one2(NEGOTIATE, 0, 0, DOWN);
    talk_le(&t, 65, 2);
    talk_zeros(&t, 2);
    talk_le(&t, 0x311, 2);
    talk_zeros(&t, 70);
    frame_end();
    setup2();
    tree2(2, "\\\\srv\\share");
    open2(3, "dir\\evil.exe", 1);
    written(4, 0, 1, "an att");
    written(5, 6, 1, "ack in ");
    written(6, 13, 1, "a file");
    one2(READ, 7, 0, UP);
    read2(7, 0, 1);
    frame_end();
    one2(READ, 7, 0x103, DOWN); /* pending */
    talk_zeros(&t, 9);
    frame_end();
    answer_read2(7, "what was read");
}

static struct app_lab *lab(void)
{
    return lab_new(&(struct lab_setup){.dport = 445});
}

static bool no_trouble(const struct app_lab *l)
{
    return !lab_event(l, AN_SMB_MALFORMED) && !lab_event(l, AN_SMB_FILE_GAP) &&
           !lab_event(l, AN_SMB_FILE_OVERLAP) && !lab_event(l, AN_SMB_DIALECTS) &&
           !lab_event(l, AN_SMB_RESPONSE_TO_SERVER) && !lab_event(l, AN_SMB_REQUEST_TO_CLIENT) &&
           !lab_event(l, AN_DCERPC_MALFORMED);
}

/* The last inspection of file.data in that direction that has all of the text. */
static bool saw_file(const struct app_lab *l, enum app_dir dir, const char *text)
{
    for (uint32_t i = 0; i < l->n_seen; i++)
        if (l->seen[i].buffer == BUF_FILE_DATA && l->seen[i].dir == dir &&
            memmem(l->seen[i].bytes.p, l->seen[i].bytes.len, text, strlen(text)))
            return true;
    return false;
}

static void test_version2(void **state)
{
    (void)state;
    for (uint32_t piece = 0; piece < 3000; piece = piece < 40 ? piece + 1 : piece * 3) {
        struct app_lab *l = lab();

        session2();
        close2(8, 1);
        talk_send(l, &t, piece);
        assert_true(lab_speaks(l, APP_SMB));
        assert_true(lab_saw(l, BUF_SMB_NTLMSSP_USER, "alice"));
        assert_true(lab_saw(l, BUF_SMB_NTLMSSP_DOMAIN, "CORP"));
        assert_true(lab_saw(l, BUF_SMB_SHARE, "\\\\srv\\share"));
        assert_true(lab_saw_number(l, BUF_SMB_VERSION, 2));
        assert_int_equal(lab_count(l, BUF_SMB_NAMED_PIPE), 0);
        assert_true(saw_file(l, UP, "an attack in a file"));
        assert_true(saw_file(l, DOWN, "what was read"));
        assert_true(no_trouble(l));
        assert_non_null(strstr(l->logged, "dialect=3.11 command=SMB2_COMMAND_SESSION_SETUP"));
        assert_non_null(strstr(l->logged, "ntlmssp={domain=CORP user=alice host=PC1 }"));
        assert_non_null(
            strstr(l->logged, "SMB_FILE_WRITE tree_id=5 filename=dir\\evil.exe share=\\\\srv\\share"));
        lab_free(l);
    }
}

/* Create, write and read in one frame: the file has no number yet, and is called "the one before", or any number in a
 * chain that says so. */
static void test_compound(void **state)
{
    (void)state;
    for (uint32_t piece = 0; piece < 1000; piece = piece < 40 ? piece + 1 : piece * 3) {
        struct app_lab *l = lab();

        fresh();
        tree2(2, "\\\\srv\\share");
        frame(UP);
        head2(CREATE, 3, 0, false);
        create2("x");
        next2();
        uint8_t number = piece % 2 ? 0xff : 7;
        head2(WRITE, 4, 0, false);
        talk_fill_le(&t, message_at + 16, piece % 2 ? 0 : 4, 4);
        write2(0, number, "written at once", 15);
        next2();
        head2(READ, 5, 0, false);
        talk_fill_le(&t, message_at + 16, piece % 2 ? 0 : 4, 4);
        read2(5, 15, number);
        frame_end();
        frame(DOWN);
        head2(CREATE, 3, 0, true);
        created2(9);
        next2();
        head2(READ, 5, 0, true);
        talk_le(&t, 17, 2);
        talk_le(&t, 64 + 16, 2);
        talk_le(&t, 9, 4);
        talk_zeros(&t, 8);
        talk_add(&t, "and read.", 9);
        frame_end();
        written(6, 15, 9, ", and more");
        talk_send(l, &t, piece);
        assert_true(saw_file(l, UP, "written at once, and more"));
        assert_true(saw_file(l, DOWN, "and read."));
        assert_true(no_trouble(l));
        lab_free(l);
    }
}

/* Pieces in any order: what lies across a seam is seen when its last byte comes. */
static void test_order(void **state)
{
    (void)state;
    struct app_lab *l = lab();

    fresh();
    tree2(2, "\\\\srv\\share");
    open2(3, "x", 1);
    written(4, 13, 1, "tack, in three");
    written(5, 27, 1, " pieces");
    written(6, 0, 1, "this is an at");
    talk_send(l, &t, 0);
    assert_true(saw_file(l, UP, "this is an attack, in three"));
    assert_true(lab_event(l, AN_SMB_FILE_OVERLAP));
    lab_forget(l);
    fresh();
    written(7, 500, 1, "far away");
    talk_send(l, &t, 0);
    assert_true(lab_event(l, AN_SMB_FILE_GAP));
    assert_true(saw_file(l, UP, "far away"));
    lab_free(l);
}

/* A refused create is no file; its number may be another's. */
static void test_refused(void **state)
{
    (void)state;
    struct app_lab *l = lab();

    fresh();
    tree2(2, "\\\\srv\\share");
    one2(CREATE, 3, 0, UP);
    create2("refused");
    frame_end();
    one2(CREATE, 3, FAILED, DOWN);
    talk_zeros(&t, 9);
    frame_end();
    open2(4, "allowed", 1);
    written(5, 0, 1, "bytes");
    talk_send(l, &t, 5);
    assert_true(saw_file(l, UP, "bytes"));
    lab_end_flow(l);
    assert_non_null(strstr(l->logged, "SMB_FILE_WRITE tree_id=5 filename=allowed"));
    lab_free(l);
}

/* --- pipes ---------------------------------------------------------------------------------------------------------- */

#define IFACE \
    "\xc8\x4f\x32\x4b\x70\x16\xd3\x01\x12\x78\x5a\x47\xbf\x6e\xe1\x88\x03\x00\x00\x00" /* on the wire */
#define IFACE_SEEN "\x4b\x32\x4f\xc8\x16\x70\x01\xd3\x12\x78\x5a\x47\xbf\x6e\xe1\x88\x00\x03"

static uint32_t offer(uint8_t *p)
{
    static const uint8_t start[] = {5, 0, 11, 3, 0x10, 0, 0, 0, 72, 0, 0, 0, 1, 0, 0, 0,
                                    0, 0, 0,  0, 0,    0, 0, 0, 1,  0, 0, 0, 0, 0, 1, 0};

    memset(p, 0, 72);
    memcpy(p, start, sizeof(start));
    memcpy(p + sizeof(start), IFACE, 20);
    return 72;
}

static uint32_t call(uint8_t *p, uint8_t opnum, const char *stub)
{
    const uint8_t start[] = {5, 0, 0, 3, 0x10, 0, 0,     0, (uint8_t)(24 + strlen(stub)), 0, 0, 0, 2, 0, 0, 0,
                             0, 0, 0, 0, 0,    0, opnum, 0};

    memcpy(p, start, sizeof(start));
    memcpy(p + sizeof(start), stub, strlen(stub));
    return (uint32_t)(sizeof(start) + strlen(stub));
}

static void transceive2(uint64_t id, uint8_t file, const uint8_t *p, uint32_t n)
{
    one2(IOCTL, id, 0, UP);
    talk_le(&t, 57, 4);
    talk_le(&t, PIPE_TRANSCEIVE, 4);
    file_id(file);
    talk_le(&t, 64 + 56, 4);
    talk_le(&t, n, 4);
    talk_zeros(&t, 24);
    talk_add(&t, p, n);
    frame_end();
}

static void test_pipe2(void **state)
{
    uint8_t pdu[300];
    (void)state;

    for (uint32_t piece = 0; piece < 1000; piece = piece < 40 ? piece + 1 : piece * 3) {
        struct app_lab *l = lab();
        uint32_t n;

        fresh();
        tree2(2, "\\\\srv\\IPC$");
        open2(3, "srvsvc", 1);
        one2(WRITE, 4, 0, UP);
        n = offer(pdu);
        write2(0, 1, (const char *)pdu, n);
        frame_end();
        n = call(pdu, 15, "stub of the call");
        transceive2(5, 1, pdu, n);
        talk_send(l, &t, piece);
        assert_true(lab_saw(l, BUF_SMB_NAMED_PIPE, "\\\\srv\\IPC$"));
        assert_true(lab_saw(l, BUF_SMB_NAMED_PIPE, "srvsvc"));
        assert_true(lab_saw_bytes(l, BUF_DCERPC_IFACE, IFACE_SEEN, 18));
        assert_true(lab_saw_number(l, BUF_DCERPC_OPNUM, 15));
        assert_true(span_eq_str(lab_grown(l, BUF_DCERPC_STUB_DATA), "stub of the call"));
        assert_int_equal(lab_count(l, BUF_FILE_DATA), 0);
        assert_true(no_trouble(l));
        lab_end_flow(l);
        assert_non_null(strstr(l->logged, "command=SMB_PIPE tree_id=5 named_pipe=srvsvc share=\\\\srv\\IPC$ "
                                          "dcerpc={request=REQUEST opnum=15"));
        lab_free(l);
    }
}

/* --- version 1 ------------------------------------------------------------------------------------------------------ */

static void head1(uint8_t command, uint16_t id, bool response)
{
    message_at = t.n;
    talk_add(&t, "\xffSMB", 4);
    talk_le(&t, command, 1);
    talk_le(&t, 0, 4);
    talk_le(&t, response ? 0x80 : 0, 1);
    talk_le(&t, 0x8000, 2); /* UTF-16 */
    talk_zeros(&t, 12);
    talk_le(&t, 5, 2);
    talk_le(&t, 0, 2);
    talk_le(&t, 7, 2);
    talk_le(&t, id, 2);
}

static void align1(void)
{
    if ((t.n - message_at) & 1)
        talk_zeros(&t, 1);
}

/* Words of a chainable command; the next one's place is filled in by chain1(). */
static uint32_t andx(uint8_t words)
{
    uint32_t at = t.n + 1;

    talk_le(&t, words, 1);
    talk_le(&t, 0xff, 4);
    return at;
}

static void chain1(uint32_t andx_at, uint8_t command)
{
    t.b[andx_at] = command;
    talk_fill_le(&t, andx_at + 2, t.n - message_at, 2);
}

static void tree_words(const char *path)
{
    talk_zeros(&t, 2);
    talk_le(&t, 1, 2); /* of a password */
    talk_le(&t, 0, 2);
    talk_zeros(&t, 1);
    align1();
    talk_utf16(&t, path);
    talk_zeros(&t, 2);
    talk_add(&t, "?????", 6);
}

static void create_words(const char *name)
{
    talk_zeros(&t, 44);
    talk_le(&t, 0, 2);
    align1();
    talk_utf16(&t, name);
    talk_zeros(&t, 2);
}

static void created1(uint16_t file)
{
    talk_zeros(&t, 1);
    talk_le(&t, file, 2);
    talk_zeros(&t, 61);
    talk_le(&t, 0, 2);
}

static void write_words(uint16_t file, uint32_t offset, const void *bytes, uint32_t n)
{
    uint32_t at;

    talk_le(&t, file, 2);
    talk_le(&t, offset, 4);
    talk_zeros(&t, 8);
    talk_le(&t, n >> 16, 2);
    talk_le(&t, n & 0xffff, 2);
    at = t.n;
    talk_zeros(&t, 2);
    talk_le(&t, n, 2);
    talk_zeros(&t, 1);
    talk_fill_le(&t, at, t.n - message_at, 2);
    talk_add(&t, bytes, n);
}

static void read_words(uint16_t file, uint32_t offset)
{
    talk_le(&t, file, 2);
    talk_le(&t, offset, 4);
    talk_zeros(&t, 10);
    talk_le(&t, 0, 2);
}

static void login1(void)
{
    uint32_t at = 0, from;

    frame(UP);
    head1(0x73, 1, false);
    andx(12);
    talk_zeros(&t, 10);
    at = t.n;
    talk_zeros(&t, 10);
    talk_le(&t, 0, 2);
    from = t.n;
    login();
    talk_fill_le(&t, at, t.n - from, 2);
    frame_end();
}

static void connect1(const char *path)
{
    frame(UP);
    head1(0x75, 2, false);
    andx(4);
    tree_words(path);
    frame_end();
    frame(DOWN);
    head1(0x75, 2, true);
    andx(3);
    talk_zeros(&t, 2);
    talk_le(&t, 0, 2);
    frame_end();
}

static void test_version1(void **state)
{
    (void)state;
    for (uint32_t piece = 0; piece < 1000; piece = piece < 40 ? piece + 1 : piece * 3) {
        struct app_lab *l = lab_new(&(struct lab_setup){.dport = 139});
        uint32_t at;

        fresh();
        talk_turn(&t, UP);
        talk_add(&t, "\x81\0\0\x04name", 8);
        talk_turn(&t, DOWN);
        talk_add(&t, "\x82\0\0\0", 4);
        login1();
        connect1("\\\\SRV\\DATA");
        frame(UP); /* opened and read in one message: what the read calls its file does not matter */
        head1(0xa2, 3, false);
        at = andx(24);
        create_words("\\old.exe");
        align1();
        chain1(at, 0x2e);
        andx(10);
        read_words(0xffff, 0);
        frame_end();
        frame(DOWN);
        head1(0xa2, 3, true);
        at = andx(34);
        created1(0x1234);
        chain1(at, 0x2e);
        andx(12);
        talk_zeros(&t, 6);
        talk_le(&t, 9, 2);
        talk_le(&t, t.n - message_at + 14, 2);
        talk_zeros(&t, 10);
        talk_le(&t, 9, 2);
        talk_add(&t, "old bytes", 9);
        frame_end();
        frame(UP);
        head1(0x2f, 4, false);
        andx(12);
        write_words(0x1234, 0, "an attack", 9);
        frame_end();
        frame(UP);
        head1(0x2f, 5, false);
        andx(12);
        write_words(0x1234, 9, " in version 1", 13);
        frame_end();
        talk_send(l, &t, piece);
        assert_true(lab_speaks(l, APP_SMB));
        assert_true(lab_saw(l, BUF_SMB_NTLMSSP_USER, "alice"));
        assert_true(lab_saw(l, BUF_SMB_SHARE, "\\\\SRV\\DATA"));
        assert_true(lab_saw_number(l, BUF_SMB_VERSION, 1));
        assert_true(saw_file(l, DOWN, "old bytes"));
        assert_true(saw_file(l, UP, "an attack in version 1"));
        assert_true(no_trouble(l));
        lab_end_flow(l);
        assert_non_null(strstr(l->logged, "SMB_FILE_READ tree_id=5 filename=\\old.exe share=\\\\SRV\\DATA"));
        lab_free(l);
    }
}

static void transact1(uint16_t file, const uint8_t *p, uint32_t n)
{
    uint32_t at;

    frame(UP);
    head1(0x25, 9, false);
    talk_le(&t, 16, 1);
    talk_zeros(&t, 2);
    talk_le(&t, n, 2);
    talk_zeros(&t, 18);
    talk_le(&t, n, 2);
    at = t.n;
    talk_zeros(&t, 2);
    talk_le(&t, 2, 2);
    talk_le(&t, 0x26, 2);
    talk_le(&t, file, 2);
    talk_le(&t, n, 2);
    align1();
    talk_utf16(&t, "\\PIPE\\");
    talk_zeros(&t, 2);
    talk_fill_le(&t, at, t.n - message_at, 2);
    talk_add(&t, p, n);
    frame_end();
}

static void test_pipe1(void **state)
{
    uint8_t pdu[300];
    (void)state;

    for (uint32_t piece = 0; piece < 1000; piece = piece < 40 ? piece + 1 : piece * 3) {
        struct app_lab *l = lab();
        uint32_t n;

        fresh();
        connect1("\\\\SRV\\IPC$");
        n = offer(pdu);
        frame(UP);
        head1(0x2f, 4, false);
        andx(12);
        write_words(0x4000, 0, pdu, n);
        frame_end();
        n = call(pdu, 24, "shut down");
        transact1(0x4000, pdu, n);
        talk_send(l, &t, piece);
        assert_true(lab_saw(l, BUF_SMB_NAMED_PIPE, "\\PIPE\\"));
        assert_true(lab_saw_bytes(l, BUF_DCERPC_IFACE, IFACE_SEEN, 18));
        assert_true(lab_saw_number(l, BUF_DCERPC_OPNUM, 24));
        assert_true(span_eq_str(lab_grown(l, BUF_DCERPC_STUB_DATA), "shut down"));
        assert_true(no_trouble(l));
        lab_free(l);
    }
}

/* --- what cannot be looked into, and what is wrong ------------------------------------------------------------------- */

static void test_opaque(void **state)
{
    (void)state;
    struct app_lab *l = lab();

    fresh();
    tree2(2, "\\\\srv\\share");
    frame(UP);
    talk_add(&t, "\xfdSMBxxxxxxxxxxxxxxxxxxxxxxxx", 28);
    frame_end();
    frame(UP);
    talk_add(&t, "\xfcSMBxxxxxxxxxxxxxxxxxxxxxxxx", 28);
    frame_end();
    open2(3, "seen", 1);
    written(4, 0, 1, "after it");
    talk_send(l, &t, 9);
    assert_true(lab_event(l, AN_SMB_ENCRYPTED));
    assert_true(lab_event(l, AN_SMB_COMPRESSED));
    assert_true(saw_file(l, UP, "after it"));
    lab_free(l);
}

static void test_malformed(void **state)
{
    static const char *const bad[] = {
        "\0\0\0\x08\xfeSMB\0\0\0\0",   /* no whole header */
        "\0\0\0\x08\377SMB\x25\0\0\0", /* neither */
        "\0\0\0\x08nSMBxxxx",          /* another protocol in a frame */
        "\x77\0\0\x08xxxxxxxx",        /* no frame */
    };
    (void)state;

    for (unsigned i = 0; i < 4; i++) {
        struct app_lab *l = lab();

        fresh();
        tree2(2, "\\\\srv\\share");
        talk_turn(&t, UP);
        talk_add(&t, bad[i], 12);
        talk_send(l, &t, 3);
        assert_true(lab_event(l, AN_SMB_MALFORMED));
        lab_free(l);
    }
}

static void test_lengths(void **state)
{
    (void)state;
    struct app_lab *l = lab();

    fresh();
    tree2(2, "\\\\srv\\share");
    one2(WRITE, 4, 0, UP); /* says more than the message has: what is there is looked at */
    write2(0, 1, "not so long", 11);
    talk_fill_le(&t, t.n - 11 - 44, 5000, 4);
    frame_end();
    written(5, 11, 1, " as it says");
    talk_send(l, &t, 4);
    assert_true(lab_event(l, AN_SMB_MALFORMED));
    assert_true(saw_file(l, UP, "not so long as it says"));
    lab_free(l);
}

static void test_many_files(void **state)
{
    (void)state;
    struct app_lab *l = lab();

    for (unsigned i = 0; i < 80; i++) {
        fresh();
        open2(100 + i, "file", (uint8_t)(i + 1));
        written(200 + i, 0, (uint8_t)(i + 1), "bytes of it");
        talk_send(l, &t, 60);
    }
    assert_true(lab_event(l, AN_SMB_TOO_MANY_FILES));
    lab_free(l);
}

/* A long write is handed on as it comes, and costs a window. */
static void test_long_write(void **state)
{
    static char big[700000];
    struct app_lab *l = lab();
    (void)state;

    memset(big, 'x', sizeof(big));
    memcpy(big + sizeof(big) - 6, "attack", 6);
    fresh();
    open2(3, "big", 1);
    one2(WRITE, 4, 0, UP);
    write2(0, 1, big, sizeof(big));
    frame_end();
    talk_send(l, &t, 1460);
    assert_true(span_eq(lab_grown(l, BUF_FILE_DATA), span_of(big, sizeof(big))));
    assert_true(app_bytes(l->app) < 200000);
    lab_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version2), cmocka_unit_test(test_compound),   cmocka_unit_test(test_order),
        cmocka_unit_test(test_refused),  cmocka_unit_test(test_pipe2),      cmocka_unit_test(test_version1),
        cmocka_unit_test(test_pipe1),    cmocka_unit_test(test_opaque),     cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_lengths),  cmocka_unit_test(test_many_files), cmocka_unit_test(test_long_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
