/* SPDX-License-Identifier: BSD-2-Clause */
/* Prefixes as text, and lists of them from files: what is taken, what is refused and where it says the mistake is. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ips/base/prefix.h"

static void text_and_back(void **state)
{
    static const struct {
        const char *text, *same, *side;
    } rows[] = {
        {"10.0.0.0/8", "10.0.0.0/8", "dst"},
        {"10.1.2.3/8", "10.0.0.0/8", "dst"},
        {"192.0.2.7", "192.0.2.7/32", "dst"},
        {" 192.0.2.7\tsrc ", "192.0.2.7/32", "src"},
        {"0.0.0.0/0 both", "0.0.0.0/0", "both"},
        {"2001:DB8::1/33", "2001:db8::/33", "dst"},
        {"::/0", "::/0", "dst"},
        {"fe80::1", "fe80::1/128", "dst"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char buf[PREFIX_TEXT_MAX];
        struct prefix p;
        struct err e = {.code = 0};

        assert_int_equal(prefix_parse_sided(rows[i].text, PREFIX_DST, &p, &e), 0);
        assert_string_equal(prefix_format(&p, buf), rows[i].same);
        assert_string_equal(prefix_side_name(p.sides), rows[i].side);
    }
}

static void refused(void **state)
{
    static const char *const rows[] = {
        "",
        " ",
        "x",
        "10.0.0.0/33",
        "10.0.0.0/",
        "10.0.0.0/-1",
        "10.0.0/8",
        "10.0.0.0/08",
        "::/129",
        "::ffff:10.0.0.1",
        "1.2.3.4 up",
        "1.2.3.4 src dst",
        "1.2.3.4/8/8",
        "1.2.3.4 5.6.7.8",
        "10.0.0.0/ 8",
        "1.2.3.4444444444444444444444444444444444444444444444444444444444444444444444444444444444444444444",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct err e = {.code = 0};
        struct prefix p;

        assert_int_equal(prefix_parse_sided(rows[i], PREFIX_SRC, &p, &e), -EINVAL);
        assert_true(e.text[0] != '\0' && e.remedy[0] != '\0');
    }
}

static int read_text(struct prefix_list *l, const char *text, size_t len, struct err_list *errs)
{
    char path[] = "/tmp/sluice-prefix-XXXXXX";
    int fd = mkstemp(path), rc;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), len);
    close(fd);
    err_list_init(errs);
    rc = prefix_list_read(l, path, PREFIX_SRC, errs);
    unlink(path);
    return rc;
}

static void file(void **state)
{
    static const char text[] =
        "# a list\n10.0.0.0/8\n\n  192.0.2.1 dst # why\r\n10.0.0.0/8 dst\n#\n::1\n10.1.0.0/16";
    struct prefix_list l = {.n = 0};
    struct err_list errs;

    (void)state;
    assert_int_equal(read_text(&l, text, sizeof(text) - 1, &errs), 0);
    assert_int_equal(errs.n, 0);
    assert_int_equal(l.n, 5);
    prefix_list_sort(&l);
    assert_int_equal(l.n, 4); /* the one that is there twice, once; the one inside it stays */
    assert_int_equal(l.v[0].sides, PREFIX_BOTH);
    assert_int_equal(l.v[0].bits, 8);
    assert_int_equal(l.v[1].bits, 16);
    assert_int_equal(l.v[3].family, 1);
    prefix_list_fini(&l);
    err_list_fini(&errs);
}

static void mistakes(void **state)
{
    char text[4096] = "10.0.0.0/8\n";
    struct prefix_list l = {.n = 0};
    struct err_list errs;

    (void)state;
    for (int i = 0; i < PREFIX_ERRS_MAX + 5; i++)
        strcat(text, "nonsense\n");
    assert_int_equal(read_text(&l, text, strlen(text), &errs), -EINVAL);
    assert_int_equal(errs.n, PREFIX_ERRS_MAX);
    assert_int_equal(errs.n_dropped, 5);
    assert_int_equal(errs.v[0].line, 2);
    assert_int_equal(errs.v[9].line, 11);
    err_list_fini(&errs);
    assert_int_equal(read_text(&l, "10.0.0.0/8\0x\n10.0.0.1\n", 22, &errs), -EINVAL); /* NUL */
    assert_int_equal(errs.v[0].line, 1);
    err_list_fini(&errs);
    memset(text, ' ', 2000);
    memcpy(text + 2000, "\nx\n", 4);
    assert_int_equal(read_text(&l, text, 2003, &errs),
                     -EINVAL); /* too long, and the next line is still the second */
    assert_int_equal(errs.n, 2);
    assert_int_equal(errs.v[0].line, 1);
    assert_int_equal(errs.v[1].line, 2);
    err_list_fini(&errs);
    err_list_init(&errs);
    assert_int_equal(prefix_list_read(&l, "/tmp", PREFIX_SRC, &errs), -EISDIR);
    assert_int_equal(prefix_list_read(&l, "/nowhere/at/all", PREFIX_SRC, &errs), -ENOENT);
    assert_int_equal(errs.n, 2);
    err_list_fini(&errs);
    prefix_list_fini(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_and_back),
        cmocka_unit_test(refused),
        cmocka_unit_test(file),
        cmocka_unit_test(mistakes),
    };

    return cmocka_run_group_tests_name("prefixes", tests, NULL, NULL);
}
