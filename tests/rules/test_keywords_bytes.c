/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * byte_test, byte_jump, byte_extract, byte_math and the variables they fill: every operator and word, both
 * dialects where they differ, and backtracking through them. Traps 11 to 15 of RULES.md.
 */
#include "harness.h"

#define M(options, payload) options_match_n(options, payload, sizeof(payload) - 1)
#define S(options, payload) options_match_as(DIALECT_SNORT3, options, payload, sizeof(payload) - 1)

static void trap11_operators(void **state)
{
    static const struct {
        const char *op;
        bool below, equal, above; /* the number read is 9, 10, 11 and the value 10 */
    } ops[] = {
        {"=", false, true, false},   {"<", true, false, false},   {">", false, false, true},
        {"<=", true, true, false},   {">=", false, true, true},   {"!", true, false, true},
        {"!=", true, false, true},   {"!<", false, true, true},   {"!>", true, true, false},
        {"!<=", false, false, true}, {"!>=", true, false, false}, {"&", true, true, true},
        {"!&", false, false, false}, {"^", true, false, true},    {"!^", false, true, false},
    };

    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        char options[128];

        snprintf(options, sizeof(options), "byte_test:1,%s,10,0;", ops[i].op);
        assert_int_equal(M(options, "\x09"), ops[i].below);
        assert_int_equal(M(options, "\x0a"), ops[i].equal);
        assert_int_equal(M(options, "\x0b"), ops[i].above);
    }
    assert_true(M("byte_test:1,&,0x80,0;", "\x80"));
    assert_false(M("byte_test:1,&,0x80,0;", "\x7f"));
    assert_true(M("byte_test:1, ! &, 128, 0;", "\x7f")); /* blanks anywhere */
    /* a number that is not there fails, turned round or not */
    assert_false(M("byte_test:2,=,10,0;", "\x0a"));
    assert_false(M("byte_test:2,!=,10,0;", "\x0a"));
    assert_false(M("byte_test:1,!=,10,1;", "\x0a"));
    assert_false(M("byte_test:1,!=,10,-1;", "\x0a"));
}

static void trap11_widths_and_masks(void **state)
{
    assert_true(M("byte_test:2,=,0x0102,0;", "\x01\x02"));
    assert_true(M("byte_test:2,=,0x0201,0,little;", "\x01\x02"));
    assert_true(M("byte_test:2,=,0x0201,0,endian little;", "\x01\x02"));
    assert_true(M("byte_test:2,=,0x0102,0,little,big;", "\x01\x02"));
    assert_true(M("byte_test:3,=,0x010203,0;", "\x01\x02\x03"));
    assert_true(M("byte_test:8,=,0xffffffffffffffff,0;", "\xff\xff\xff\xff\xff\xff\xff\xff"));
    assert_true(M("byte_test:8,>,0xfffffffffffffffe,0;", "\xff\xff\xff\xff\xff\xff\xff\xff"));
    assert_true(M("byte_test:4,>,2147483648,0;", "\x80\x00\x00\x01")); /* unsigned */
    assert_true(M("byte_test:2,=,010,0;", "\x00\x08"));                /* octal, as in both engines */
    /* masked, then shifted by the mask's trailing zeros */
    assert_true(M("byte_test:2,=,0x3,0,bitmask 0x3000;", "\x35\x67"));
    assert_true(M("byte_test:2,=,0x56,0,bitmask 0x0ff0;", "\x35\x67"));
    assert_true(M("byte_test:1,=,1,0,bitmask 0x80;", "\xff"));
    assert_false(M("byte_test:1,=,0x80,0,bitmask 0x80;", "\xff"));
    assert_true(S("byte_test:2,=,568,0,bitmask 0x3FF0;", "\x23\x89")); /* Snort's manual */
}

static void trap12_strings(void **state)
{
    assert_true(M("byte_test:4,=,1234,0,string,dec;", "1234"));
    assert_true(M("byte_test:4,=,1234,0,string;", "1234"));
    assert_true(M("byte_test:4,=,0x1234,0,string,hex;", "1234"));
    assert_true(M("byte_test:6,=,0x1234,0,string,hex;", "0x1234"));
    assert_true(M("byte_test:4,=,668,0,string,oct;", "1234"));
    assert_true(M("byte_test:6,>,1000,0,string,dec,relative;", "  1234"));
    assert_true(M("content:\"Len: \"; byte_test:10,>,1000,0,relative,string,dec;", "Len: 2000\r\n 0123"));
    assert_true(M("byte_test:5,=,12,0,string,dec;", "12abc")); /* up to what is no digit */
    assert_false(M("byte_test:5,>=,0,0,string,dec;", "abcde"));
    assert_false(M("byte_test:5,!=,7,0,string,dec;", "abcde"));
    /* a minus sign wraps round, as strtoull() does: Content-Length: -1 is huge */
    assert_true(M("byte_test:2,>,1000,0,string,dec;", "-1"));
    assert_false(M("byte_test:22,>,1,0,string,dec;", "9999999999999999999999")); /* does not fit: no number */
    /* Suricata wants all bytes there, Snort takes fewer at the buffer's end */
    assert_false(M("byte_test:10,=,1234,0,string,dec;", "1234"));
    assert_true(S("byte_test:10,=,1234,0,string,dec;", "1234"));
    /* no number of bytes: as many digits as there are (ET Open has it behind http.content_len) */
    assert_true(M("byte_test:0,>,450,0,string,dec;", "451 x"));
    assert_false(M("byte_test:0,>,450,0,string,dec;", "45 1"));
    assert_options_refused("byte_test:0,>,450,0;", "0 bytes; 1 to");
    assert_false(S("byte_test:2,=,1,0;", "\x01"));
    /* 0 bytes of a string: all its digits, as ET's rules about Content-Length have it */
    assert_true(M("byte_test:0,=,1234567,0,string,dec;", "1234567"));
    assert_true(M("content:\": \"; byte_test:0,>,1000,0,string,dec,relative;", "Length: 2000\r\n"));
    assert_false(M("byte_test:0,>=,0,0,string,dec;", "abc"));
    assert_false(M("byte_test:0,>=,0,3,string,dec;", "123"));
    assert_false(S("byte_jump:0,0,string,dec; content:\"x\",within 1;", "02.x"));
    assert_true(S("byte_jump:0,0,string,dec; content:\"x\",within 1;", "02..x"));
    assert_options_refused("byte_test:4,=,1,0,hex;", "no string");
    assert_options_refused("byte_test:24,=,1,0,string,dec;", "'24' is no number from 0 to 23");
}

static void trap13_jumps(void **state)
{
    /* behind the number, by the number */
    assert_true(M("byte_jump:1,0; content:\"x\"; distance:0; within:1;", "\x02..x"));
    assert_false(M("byte_jump:1,0; content:\"x\"; distance:0; within:1;", "\x02.x."));
    assert_true(M("content:\"A\"; byte_jump:1,1,relative; content:\"x\"; within:1;", "A.\x01-x"));
    /* the order: mask and shift, multiply, align, post_offset */
    assert_true(M("byte_jump:1,0,multiplier 2; content:\"x\"; within:1;", "\x02....x"));
    assert_true(M("byte_jump:1,0,align; content:\"x\"; within:1;", "\x01....x"));
    assert_true(S("byte_jump:1,0,align 2; content:\"x\",within 1;", "\x01..x"));
    assert_true(M("byte_jump:1,0,align; content:\"x\"; within:1;", "\x04....x"));
    assert_true(
        M("byte_jump:1,0,multiplier 3,align,post_offset -2; content:\"x\"; within:1;", "\x02......x"));
    assert_true(M("byte_jump:1,0,bitmask 0xf0,multiplier 2; content:\"x\"; within:1;", "\x2f....x"));
    /* from the beginning, from the end */
    assert_true(M("byte_jump:1,4,from_beginning; content:\"x\"; within:1;", "..x.\x02...."));
    assert_true(M("byte_jump:0,0,from_end,post_offset -3; content:\"x\"; within:1;", "......x.."));
    assert_true(M("content:\"B\"; byte_jump:2,-3,relative,from_beginning,little; content:\"x\"; within:1;",
                  "\x04\x00"
                  "B.x..."));
    /* a string takes as many bytes as it has digits */
    assert_false(M("byte_jump:4,0,string,dec; content:\"x\"; within:1;", "2 ..x.."));
    assert_true(M("byte_jump:4,0,string,dec; content:\"x\"; within:1;", "2 .x..."));
    /* before the start is the start in Suricata, nothing in Snort; the end is a place in both */
    assert_true(
        M("content:\"b\"; byte_jump:1,0,relative,post_offset -9; content:\"ab\"; within:2;", "ab\x01..."));
    assert_false(
        S("content:\"b\"; byte_jump:1,0,relative,post_offset -9; content:\"ab\",within 2;", "ab\x01..."));
    assert_true(M("byte_jump:1,0;", "\x02.."));
    assert_false(M("byte_jump:1,0;", "\x03.."));
    assert_true(M("byte_jump:0,0,from_end; isdataat:!1,relative;", "..."));
    assert_true(S("byte_jump:1,0;", "\x02.."));
    assert_false(S("byte_jump:1,0;", "\x03.."));
    /* a number with its top bit set points backwards in 64 bits, and in 32 in Snort */
    assert_true(M("byte_jump:8,0; content:\"|ff|\"; within:1;", "\xff\xff\xff\xff\xff\xff\xff\xff."));
    assert_true(S("byte_jump:4,0; content:\"|ff fe|\",within 2;", "\xff\xff\xff\xfe."));
    assert_false(M("byte_jump:4,0;", "\xff\xff\xff\xfe."));
    assert_options_refused("byte_jump:1,0,from_beginning,from_end;", "from_beginning together with from_end");
    assert_options_refused("byte_jump:1,0,align 3;", "align 3");
    assert_options_refused("byte_jump:9,0;", "9 bytes");
    assert_options_refused("byte_jump:1;", "too few fields");
    assert_options_refused("byte_jump:1,0,sideways;", "unknown word 'sideways'");
    assert_options_refused("byte_jump:1,0,multiplier;", "multiplier wants a number");
}

/* A search goes on when what a byte option read behind its match does not fit. */
static void backtracking(void **state)
{
    assert_true(M("content:\"A\"; byte_test:1,=,7,0,relative;", "A\x06.A\x07"));
    assert_false(M("content:\"A\"; byte_test:1,=,7,0,relative;", "A\x06.A\x05"));
    assert_true(M("content:\"A\"; byte_jump:1,0,relative; content:\"x\"; within:1;", "A\x01.. A\x01.x"));
    assert_true(
        M("content:\"A\"; byte_jump:1,0,relative; byte_test:1,=,9,0,relative;", "A\x01.. A\x01.\x09"));
    /* nothing that is relative: the first failure ends the rule */
    assert_false(M("content:\"A\"; byte_test:1,=,7,0;", "\x06"
                                                        "AA\x07"));
    /* through a variable: the second content hangs on the first by the value only */
    assert_true(M("content:\"L\"; byte_extract:1,0,n,relative; content:\"x\"; offset:n; depth:1;",
                  "L\x01..L\x06x.."));
    assert_false(M("content:\"L\"; byte_extract:1,0,n,relative; content:\"x\"; offset:n; depth:1;",
                   "L\x01..L\x05.x."));
    /* the value of the search that is tried again, not the one before it */
    assert_true(M("content:\"L\"; byte_extract:1,0,n,relative; content:\"-\"; distance:0; "
                  "byte_math:bytes 1, offset 0, oper +, rvalue n, result n, relative; "
                  "byte_test:1,=,n,0,relative;",
                  "L\x02-\x01\x09-\x05\x07"));
    /* two dependencies: when the later search has no more matches, the earlier one goes on */
    assert_true(M("content:\"L\"; byte_extract:1,0,n,relative; content:\"B\"; "
                  "byte_test:1,=,n,0,relative;",
                  "L\x01 B\x02 L\x02 B\x03"));
    assert_false(M("content:\"L\"; byte_extract:1,0,n,relative; content:\"B\"; "
                   "byte_test:1,=,n,0,relative;",
                   "L\x01 B\x02 L\x04 B\x03"));
}

static void variables_everywhere(void **state)
{
    assert_true(M("byte_extract:1,0,n; content:\"x\"; offset:n;", "\x03..x"));
    assert_false(M("byte_extract:1,0,n; content:\"x\"; offset:n;", "\x04..x"));
    assert_true(M("byte_extract:1,0,n; content:\"x\"; depth:n;", "\x04..x"));
    assert_false(M("byte_extract:1,0,n; content:\"x\"; depth:n;", "\x03..x"));
    assert_true(
        M("byte_extract:1,0,n; content:\"x\"; offset:2; depth:n;", "\x02..x")); /* from the offset on */
    assert_false(M("byte_extract:1,0,n; content:\"x\"; offset:2; depth:n;", "\x01..x"));
    assert_true(M("byte_extract:1,0,n; content:\"A\"; content:\"x\"; distance:n; within:1;", "\x02"
                                                                                             "A..x"));
    assert_true(M("byte_extract:1,0,n; content:\"A\"; content:\"x\"; within:n;", "\x03"
                                                                                 "A..x"));
    assert_false(M("byte_extract:1,0,n; content:\"A\"; content:\"x\"; within:n;", "\x02"
                                                                                  "A..x"));
    assert_true(M("byte_extract:1,0,n; content:!\"x\"; offset:n;", "\x02x.."));
    assert_false(M("byte_extract:1,0,n; content:!\"x\"; offset:n;", "\x02.x."));
    assert_true(M("byte_extract:1,0,n; isdataat:n;", "\x02.."));
    assert_false(M("byte_extract:1,0,n; isdataat:n;", "\x03.."));
    assert_true(M("byte_extract:1,0,n; isdataat:!n;", "\x03.."));
    assert_true(M("byte_extract:4,0,n; isdataat:!n,relative;", "\xff\xff\xff\xff.."));
    assert_false(M("byte_extract:8,0,n; isdataat:n,relative;", "\xff\xff\xff\xff\xff\xff\xff\xff.."));
    assert_true(M("byte_extract:1,0,n; byte_test:1,=,n,1;", "\x05\x05"));
    assert_true(M("byte_extract:1,0,n; byte_test:1,=,7,n;", "\x02.\x07"));
    assert_true(M("byte_extract:1,0,n; byte_test:n,=,0x0707,1;", "\x02\x07\x07"));
    assert_false(M("byte_extract:1,0,n; byte_test:n,>=,0,1;", "\x09\x07\x07\x07\x07\x07\x07\x07\x07\x07"));
    assert_true(M("byte_extract:1,0,n; byte_jump:1,n; content:\"x\"; within:1;", "\x02.\x01-x"));
    assert_true(M("byte_extract:1,0,n; byte_jump:n,1; content:\"x\"; within:1;", "\x02\x00\x01-x"));
    /* a variable may say 0 bytes: the number is 0 */
    assert_true(
        M("content:\"|00 00|\"; byte_extract:1,1,n,relative; byte_jump:n,0,relative; isdataat:1,relative;",
          "\0\0.\0.."));
    assert_true(M("byte_extract:1,0,n; byte_test:n,=,0,1;", "\0."));
    /* the cursor is behind what was read */
    assert_true(M("content:\"A\"; byte_extract:2,0,n,relative; content:\"x\"; within:1;", "A\x01\x02x"));
    assert_true(M("byte_extract:1,0,n,multiplier 2; content:\"x\"; offset:n;", "\x02...x"));
    assert_true(M("byte_extract:1,0,n,align 4; content:\"x\"; offset:n; depth:1;", "\x03...x"));
    assert_true(M("byte_extract:3,0,n,string,dec; content:\"x\"; offset:n; depth:1;", "004.x"));
    assert_options_refused("content:\"a\"; offset:n;", "there is no variable 'n'");
    assert_options_refused("byte_extract:1,0,9n;", "'9n' is no name");
    assert_options_refused("byte_extract:1,0;", "too few fields");
}

static void many_variables(void **state)
{
    char options[2048] = "";

    for (int i = 0; i < VARS_MAX; i++)
        snprintf(options + strlen(options), sizeof(options) - strlen(options), "byte_extract:1,%d,v%d;", i,
                 i);
    snprintf(options + strlen(options), sizeof(options) - strlen(options), "byte_test:1,=,v15,3;");
    assert_true(M(options, "0123456789012343"));
    snprintf(options + strlen(options), sizeof(options) - strlen(options), "byte_extract:1,0,w;");
    assert_options_refused(options, "more than 16 variables");
}

static void math(void **state)
{
    static const struct { /* of 12 */
        const char *oper;
        uint32_t rvalue, result;
        bool coarse; /* 13 gives the same */
    } ops[] = {{"+", 3, 15, false}, {"-", 3, 9, false},   {"*", 3, 36, false},
               {"/", 3, 4, true},   {"<<", 3, 96, false}, {">>", 2, 3, true}};

    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        char options[256], payload[2] = {12, (char)ops[i].result};

        snprintf(options, sizeof(options),
                 "byte_math:bytes 1, offset 0, oper %s, rvalue %u, result r; byte_test:1,=,r,1;", ops[i].oper,
                 ops[i].rvalue);
        assert_true(options_match_n(options, payload, 2));
        payload[0]++;
        assert_int_equal(options_match_n(options, payload, 2), ops[i].coarse);
    }
    /* words in any order, a variable as the operand, and both ways of parting them */
    assert_true(
        M("content:\"A\"; byte_extract:1,0,n,relative; byte_math:relative,result r,oper +,rvalue n,offset 0,"
          "bytes 2,endian little; byte_test:2,=,r,0,relative,little;",
          "A\x05\x01\x00\x06\x00"));
    assert_true(
        M("byte_math:bytes 3 offset 0 oper + rvalue 1 result r string dec; byte_test:1,=,r,3;", "041*"));
    /* the mask is the result's in Suricata, the number's in Snort */
    assert_true(M("byte_math:bytes 1,offset 0,oper +,rvalue 0x10,result r,bitmask 0xf0; byte_test:1,=,r,1;",
                  "\x25\x03"));
    assert_true(S("byte_math:bytes 1,offset 0,oper +,rvalue 0x10,result r,bitmask 0xf0; byte_test:1,=,r,1;",
                  "\x25\x12"));
    /* below zero: 64 bits in Suricata, 32 in Snort */
    assert_true(M("byte_math:bytes 1,offset 0,oper -,rvalue 2,result r; byte_test:8,=,r,1;",
                  "\x01\xff\xff\xff\xff\xff\xff\xff\xff"));
    assert_true(
        S("byte_math:bytes 1,offset 0,oper -,rvalue 2,result r; byte_test:4,=,r,1;", "\x01\xff\xff\xff\xff"));
    /* what has no result fails */
    assert_false(M("byte_extract:1,1,z; byte_math:bytes 1,offset 0,oper /,rvalue z,result r;", "\x0c\x00"));
    assert_false(M("byte_math:bytes 1,offset 0,oper <<,rvalue 64,result r;", "\x0c"));
    assert_false(M("byte_math:bytes 1,offset 0,oper >>,rvalue 64,result r;", "\x0c"));
    assert_options_refused("byte_math:bytes 1,offset 0,oper /,rvalue 0,result r;", "division by 0");
    assert_options_refused("byte_math:bytes 1,offset 0,oper %,rvalue 1,result r;", "'%' is no operation");
    assert_options_refused("byte_math:bytes 1,offset 0,oper +,rvalue 1;", "result is missing");
    assert_options_refused("byte_math:bytes 1,bytes 2,offset 0,oper +,rvalue 1,result r;",
                           "bytes stands twice");
    assert_options_refused("byte_math:bytes 1,offset 0,oper +,rvalue 1,result;", "result has no value");
    assert_options_refused("byte_math:bytes 1,offset 0,oper +,rvalue 1,result r,align;",
                           "unknown word 'align'");
}

/* 14: the byte order of the DCERPC call in hand; without one the test fails. */
static void trap14_dce(void **state)
{
    struct loaded l =
        load_ok("alert tcp any any -> any any (content:\"a\"; byte_test:4,>,1,0,dce; sid:1;)\n"
                "alert tcp any any -> any any (content:\"a\"; byte_jump:4,0,relative,align,dce; sid:2;)\n"
                "alert tcp any any -> any any (byte_math:bytes 4,offset 0,oper +,rvalue 1,result r,"
                "endian dce; sid:3;)\n"
                "alert tcp any any -> any any (dce_iface:4b324fc8-1670-01d3-1278-5a47bf6ee188,>1,any_frag; "
                "dce_opnum:1,3-5; dce_stub_data; byte_test:4,>,256,0,dce; sid:4;)\n");

    assert_int_equal(ruleset_n_rules(l.rs), 4);
    assert_int_equal(ruleset_stats(l.rs)->n_loaded, 4);
    assert_int_equal(ruleset_stats(l.rs)->n_dormant, 0);
    unload(&l);
}

/* 15: a variable is known in the buffer it came from (Suricata), or everywhere (Snort). */
static void trap15_scope(void **state)
{
    static const char same[] = "byte_extract:1,4,n; byte_test:1,=,n,5;";
    static const char other[] = "base64_decode:bytes 4; byte_extract:1,4,n; base64_data; byte_test:1,=,n,0;";
    static const char fives[] = "BQUF\x05\x05", zeros[] = "AAAA\x05\x05"; /* 05 05 05 and 00 00 00 */

    assert_true(M(same, fives));
    assert_true(S(same, fives));
    assert_true(S(other, fives));
    assert_false(S(other, zeros));
    assert_false(M(other, fives)); /* 0 there */
    assert_true(M(other, zeros));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trap11_operators), cmocka_unit_test(trap11_widths_and_masks),
        cmocka_unit_test(trap12_strings),   cmocka_unit_test(trap13_jumps),
        cmocka_unit_test(backtracking),     cmocka_unit_test(variables_everywhere),
        cmocka_unit_test(many_variables),   cmocka_unit_test(math),
        cmocka_unit_test(trap14_dce),       cmocka_unit_test(trap15_scope),
    };

    return cmocka_run_group_tests_name("rules: byte keywords", tests, NULL, NULL);
}
