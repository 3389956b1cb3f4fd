/* SPDX-License-Identifier: BSD-2-Clause */
/* Files in bodies: name, type and size as rules and the log learn them, however the bytes come. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/body_lab.h"

static struct app_lab *sent(const char *name, const void *p, size_t len, size_t piece, bool whole,
                            uint64_t depth)
{
    struct body_about about = {.dir = APP_TO_CLIENT,
                               .buffers = {BUF_FILE_DATA},
                               .n_buffers = 1,
                               .name = span_str(name),
                               .depth = depth,
                               .file = true};
    struct app_lab *l = body_lab_new(NULL);

    body_lab_begin(l, &about);
    assert_true(body_lab_add(l, p, len, piece));
    body_lab_end(l, whole);
    return l;
}

static void what_is_known_of_a_file(void **state)
{
    static const char pdf[] = "%PDF-1.4 and so on";

    for (size_t piece = 1; piece < 20; piece++) {
        struct app_lab *l = sent("report.pdf", pdf, 18, piece, true, 0);

        assert_true(lab_saw(l, BUF_FILE_NAME, "report.pdf"));
        assert_int_equal(lab_count(l, BUF_FILE_NAME), 1);
        assert_true(lab_saw(l, BUF_FILE_MAGIC, "PDF document"));
        assert_int_equal(lab_count(l, BUF_FILE_MAGIC), 1);
        assert_true(lab_saw_number(l, BUF_FILE_SIZE, 18));
        assert_string_equal(l->logged,
                            "fileinfo: filename=report.pdf magic=PDF document gaps=0 state=CLOSED stored=0 "
                            "size=18 tx_id=0 \n");
        body_lab_free(l);
    }
}

static void digests_that_are_asked_for(void **state)
{
    static const uint8_t md5[] = {0x90, 0x01, 0x50, 0x98, 0x3c, 0xd2, 0x4f, 0xb0,
                                  0xd6, 0x96, 0x3f, 0x7d, 0x28, 0xe1, 0x7f, 0x72};
    struct body_about about = {
        .dir = APP_TO_CLIENT, .buffers = {BUF_FILE_DATA}, .n_buffers = 1, .file = true};

    for (size_t piece = 1; piece < 4; piece++)
        for (int whole = 0; whole < 2; whole++) {
            struct app_lab *l = body_lab_new(NULL);

            app_set_asks(l->app, ASK_HASHES | ASK_GROWN);
            body_lab_begin(l, &about);
            assert_true(body_lab_add(l, "abc", 3, piece));
            assert_int_equal(lab_count(l, BUF_FILE_MD5), 0);
            assert_true(lab_saw_number(l, BUF_FILE_GROWN, piece)); /* before the end */
            body_lab_end(l, whole);
            assert_true(lab_saw_number(l, BUF_FILE_GROWN, 3));
            assert_int_equal(lab_count(l, BUF_FILE_MD5), whole);
            assert_int_equal(lab_count(l, BUF_FILE_SHA1), whole);
            assert_int_equal(lab_count(l, BUF_FILE_SHA256), whole);
            for (uint32_t i = 0; i < l->n_seen; i++)
                if (l->seen[i].buffer == BUF_FILE_MD5)
                    assert_true(span_eq(l->seen[i].bytes, span_of(md5, 16)));
            assert_int_equal(strstr(l->logged,
                                    "md5=900150983cd24fb0d6963f7d28e17f72 "
                                    "sha1=a9993e364706816aba3e25717850c26c9cd0d89d "
                                    "sha256=ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61"
                                    "f20015ad ") != NULL,
                             whole);
            body_lab_free(l);
        }
}

static void a_file_that_is_cut_off_has_no_size(void **state)
{
    struct app_lab *l = sent("", "GIF89a....", 10, 3, false, 0);

    assert_int_equal(lab_count(l, BUF_FILE_NAME), 0);
    assert_int_equal(lab_count(l, BUF_FILE_SIZE), 0);
    assert_non_null(strstr(l->logged, "state=TRUNCATED"));
    body_lab_free(l);
    l = sent("x", "GIF89a....", 10, 3, true, 8); /* not all of it was looked at */
    assert_int_equal(lab_count(l, BUF_FILE_SIZE), 0);
    assert_non_null(strstr(l->logged, "state=TRUNCATED"));
    body_lab_free(l);
}

static void types_by_first_bytes(void **state)
{
    static uint8_t tar[300], pe[300];
    struct {
        const void *p;
        size_t len;
        const char *what;
    } cases[] = {
        {"PK\3\4....", 8, "Zip archive data"},
        {"hello, world\n", 13, "ASCII text"},
        {"\x01\x02\x03", 3, "data"},
        {"%PD", 3, "ASCII text"},
        {"MZ", 2, "MS-DOS executable"},
        {"\x89PNG\r\n\x1a\n", 8, "PNG image data"},
        {"RIFF\1\2\3\4WAVEfmt ", 16, "RIFF (little-endian) data, WAVE audio"},
        {tar, sizeof(tar), "POSIX tar archive"},
        {pe, sizeof(pe), "PE32 executable (console) Intel 80386, for MS Windows"},
    };

    memset(tar, 'a', sizeof(tar));
    memcpy(tar + 257, "ustar", 5);
    memcpy(pe, "MZ", 2);
    pe[60] = 128;
    memcpy(pe + 128, "PE\0\0\x4c\1", 6);
    pe[128 + 92] = 3;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *what = magic_of(span_of(cases[i].p, cases[i].len), true);

        assert_string_equal(what, cases[i].what);
        for (size_t n = 0; n < cases[i].len; n++) { /* no other answer on the way */
            what = magic_of(span_of(cases[i].p, n), false);
            if (what)
                assert_string_equal(what, cases[i].what);
        }
    }
}

static const char form[] = "preamble\r\n--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nno file\r\n"
                           "--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"one.txt\"\r\n"
                           "Content-Type: text/plain\r\n\r\nfirst\r\n--X\r\n--\n\r\rfile\r\n\r\n"
                           "--XX\r\ncontent-disposition: form-data; FILENAME=two.bin\r\n\r\n\1\2\n"
                           "--XX--\r\nepilogue";

static struct app_lab *form_sent(size_t piece, size_t len)
{
    struct body_about about = {.dir = APP_TO_SERVER,
                               .buffers = {BUF_HTTP_REQUEST_BODY, BUF_FILE_DATA},
                               .n_buffers = 2,
                               .name = span_str("/upload"),
                               .content_type = span_str("multipart/form-data; boundary=\"XX\""),
                               .file = true};
    struct app_lab *l = body_lab_new(NULL);

    body_lab_begin(l, &about);
    assert_true(body_lab_add(l, form, len, piece));
    body_lab_end(l, true);
    return l;
}

static void form_data_is_taken_apart(void **state)
{
    static const char first[] = "first\r\n--X\r\n--\n\r\rfile\r\n";

    for (size_t piece = 1; piece <= sizeof(form); piece++) {
        struct app_lab *l = form_sent(piece, sizeof(form) - 1);
        struct span whole = lab_grown(l, BUF_HTTP_REQUEST_BODY);

        if (piece < sizeof(form) - 1)
            assert_true(span_eq(whole, span_of(form, sizeof(form) - 1)));
        assert_true(lab_saw(l, BUF_FILE_NAME, "one.txt"));
        assert_true(lab_saw(l, BUF_FILE_NAME, "two.bin"));
        assert_int_equal(lab_count(l, BUF_FILE_NAME), 2);
        assert_true(lab_saw(l, BUF_FILE_DATA, first));
        assert_true(lab_saw(l, BUF_FILE_DATA, "\1\2"));
        assert_true(lab_saw_number(l, BUF_FILE_SIZE, sizeof(first) - 1));
        assert_true(lab_saw_number(l, BUF_FILE_SIZE, 2));
        assert_non_null(strstr(l->logged, "filename=one.txt"));
        assert_non_null(strstr(l->logged, "filename=two.bin"));
        assert_null(strstr(l->logged, "upload"));
        assert_false(lab_event(l, AN_BODY_MULTIPART));
        body_lab_free(l);
    }
}

static void form_data_that_does_not_end(void **state)
{
    struct app_lab *l = form_sent(5, sizeof(form) - 1 - 17);

    assert_true(lab_event(l, AN_BODY_MULTIPART));
    assert_non_null(strstr(l->logged, "state=TRUNCATED"));
    body_lab_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_known_of_a_file),     cmocka_unit_test(a_file_that_is_cut_off_has_no_size),
        cmocka_unit_test(types_by_first_bytes),        cmocka_unit_test(form_data_is_taken_apart),
        cmocka_unit_test(form_data_that_does_not_end), cmocka_unit_test(digests_that_are_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
