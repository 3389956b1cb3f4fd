/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dataset, datarep, iprep: the set itself, alone and with threads at it; files and their mistakes; what rules find;
 * who owns a set and when it is saved.
 */
#include <pthread.h>
#include <sys/stat.h>

#include "rules/dataset.h"
#include "tests/rules/harness.h"

static char dir[64];

static int make_dir(void **state)
{
    strcpy(dir, "/tmp/sluice-datasets-XXXXXX");
    return mkdtemp(dir) != NULL ? 0 : -1;
}

static int remove_dir(void **state)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -r %s", dir);
    return system(command) == 0 ? 0 : -1;
}

static const char *put(const char *name, const char *text)
{
    static char path[128];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}

static const char *get(const char *name)
{
    static char path[128], text[4096];
    FILE *f;
    size_t n;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "re");
    if (f == NULL)
        return NULL;
    n = fread(text, 1, sizeof(text) - 1, f);
    text[n] = '\0';
    fclose(f);
    return text;
}

/* Rules in a file of the folder, which is where relative names lead. */
static struct loaded load_here(const char *rules, struct ruleset_source src)
{
    struct loaded l = {0};
    const char *files[1] = {put("test.rules", rules)};

    src.files = files;
    src.n_files = 1;
    src.n_workers = 1;
    err_list_init(&l.errs);
    l.rs = ruleset_build(&src, &l.errs);
    return l;
}

/* --- the set ----------------------------------------------------------------------------------------------------- */

static void a_set_against_an_array(void **state)
{
    struct err e;
    struct dataset *d = dataset_new(DATASET_STRING, 2000, 1 << 20, &e);
    bool model[1000] = {false};
    uint32_t count = 0;

    assert_non_null(d);
    srand(5);
    for (unsigned i = 0; i < 100000; i++) {
        unsigned n = (unsigned)rand() % 1000;
        char text[16];
        struct span v = span_of(text, (size_t)snprintf(text, sizeof(text), "%u", n));
        bool *m = &model[n];

        assert_int_equal(dataset_has(d, v, NULL), *m);
        if (rand() % 2) {
            assert_int_equal(dataset_add(d, v, 0), *m ? DATASET_THERE : DATASET_ADDED);
            count += !*m;
            *m = true;
        } else {
            assert_int_equal(dataset_remove(d, v), *m);
            count -= *m;
            *m = false;
        }
        assert_int_equal(dataset_count(d), count);
    }
    dataset_free(d);
}

static void a_full_set_says_so_and_stays(void **state)
{
    struct err e;
    struct dataset *d = dataset_new(DATASET_MD5, 100, 1 << 20, &e);
    uint8_t v[16] = {0};

    for (uint8_t i = 0; i < 100; i++) {
        v[3] = i;
        assert_int_equal(dataset_add(d, span_of(v, 16), i), DATASET_ADDED);
    }
    v[3] = 100;
    assert_int_equal(dataset_add(d, span_of(v, 16), 0), DATASET_FULL);
    v[3] = 5;
    assert_int_equal(dataset_add(d, span_of(v, 16), 0), DATASET_THERE);
    assert_int_equal(dataset_add(d, span_of(v, 15), 0), DATASET_UNFIT);
    dataset_free(d);
    d = dataset_new(DATASET_STRING, 100, 8192, &e); /* bytes can run out as well */
    char big[3000] = {0};
    assert_int_equal(dataset_add(d, span_of(big, 3000), 0), DATASET_ADDED);
    assert_int_equal(dataset_add(d, span_of(big, 2999), 0), DATASET_ADDED);
    assert_int_equal(dataset_add(d, span_of(big, 2998), 0), DATASET_FULL);
    assert_int_equal(dataset_add(d, span_of("small", 5), 0), DATASET_ADDED);
    dataset_free(d);
    assert_null(dataset_new(DATASET_STRING, 100000, 8192, &e));
    assert_true(e.remedy[0] != '\0');
}

static void addresses_have_one_form(void **state)
{
    static const uint8_t v6[16] = {[10] = 0xff, 0xff, 1, 2, 3, 4};
    struct err e;
    struct dataset *d = dataset_new(DATASET_IP, 10, 1 << 16, &e);

    assert_int_equal(dataset_add(d, span_of(v6 + 12, 4), 0), DATASET_ADDED);
    assert_int_equal(dataset_add(d, span_of(v6, 16), 0), DATASET_THERE);
    assert_false(dataset_has(d, span_of(v6, 5), NULL));
    dataset_free(d);
}

enum { THREADS = 4, VALUES = 20000 };
static struct dataset *common;
struct job {
    pthread_t thread;
    uint32_t added, lost;
};

/* All threads add all values: each value is added by exactly one, and seen by everyone from then on. */
static void *add_all(void *arg)
{
    struct job *j = arg;

    for (uint32_t i = 0; i < VALUES; i++) {
        j->added += dataset_add(common, span_of(&i, 4), 0) == DATASET_ADDED;
        j->lost += !dataset_has(common, span_of(&i, 4), NULL);
    }
    return NULL;
}

static void threads_add_each_value_once(void **state)
{
    struct job jobs[THREADS] = {0};
    uint32_t added = 0;
    struct err e;

    common = dataset_new(DATASET_STRING, VALUES, 4 << 20, &e);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&jobs[i].thread, NULL, add_all, &jobs[i]), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(jobs[i].thread, NULL);
        added += jobs[i].added;
        assert_int_equal(jobs[i].lost, 0);
    }
    assert_int_equal(added, VALUES);
    assert_int_equal(dataset_count(common), VALUES);
    dataset_free(common);
}

/* --- rules ------------------------------------------------------------------------------------------------------- */

/* The value is what base64_decode finds at the payload's start. */
#define B64                "base64_decode:bytes 64; base64_data; "
#define RULE(sid, options) "alert udp any any -> any any (" B64 options " sid:" sid ";)\n"

static bool says(const struct loaded *l, uint32_t sid, const char *payload)
{
    return rule_matches(l->rs, sid, &(struct pkt){.proto = 17, .payload = payload});
}

static void rules_ask_and_fill(void **state)
{
    put("hosts.lst", "# comment\n\nZXZpbC5jb20=\nZ29vZ2xlLmNvbQ==\n");
    struct loaded l = load_here(
        RULE("1", "dataset:isset,a.hosts,type string,load hosts.lst;") RULE("2", "dataset:isnotset,a.hosts;")
            RULE("3", "dataset:set,a.seen,type string,hashsize 10,memcap 1mb;")
                RULE("4", "dataset:isset,a.seen;") RULE("5", "dataset:unset,a.seen;"),
        (struct ruleset_source){0});

    err_list_print(&l.errs, stderr);
    assert_int_equal(l.errs.n, 0);
    assert_true(says(&l, 1, "ZXZpbC5jb20=")); /* evil.com */
    assert_false(says(&l, 2, "ZXZpbC5jb20="));
    assert_false(says(&l, 1, "ZXZpbC5jb21z"));
    assert_true(says(&l, 2, "ZXZpbC5jb21z"));
    assert_false(says(&l, 4, "YWJj"));
    assert_true(says(&l, 3, "YWJj"));
    assert_false(says(&l, 3, "YWJj")); /* it is there already */
    assert_true(says(&l, 4, "YWJj"));
    assert_true(says(&l, 5, "YWJj"));
    assert_false(says(&l, 5, "YWJj"));
    assert_false(says(&l, 4, "YWJj"));
    unload(&l);
}

static void reputations_of_values(void **state)
{
    put("rep.lst", "ZXZpbC5jb20=,200\nZ29vZ2xlLmNvbQ==,5\n");
    struct loaded l = load_here(RULE("1", "datarep:b.rep,>,100,type string,load rep.lst;")
                                    RULE("2", "datarep:b.rep,<=,5;") RULE("3", "datarep:b.rep,!=,200;"),
                                (struct ruleset_source){0});

    assert_int_equal(l.errs.n, 0);
    assert_true(says(&l, 1, "ZXZpbC5jb20="));
    assert_false(says(&l, 2, "ZXZpbC5jb20="));
    assert_false(says(&l, 3, "ZXZpbC5jb20="));
    assert_false(says(&l, 1, "Z29vZ2xlLmNvbQ=="));
    assert_true(says(&l, 2, "Z29vZ2xlLmNvbQ=="));
    assert_true(says(&l, 3, "Z29vZ2xlLmNvbQ=="));
    assert_false(says(&l, 2, "YWJj")); /* not in the set */
    unload(&l);
}

static void what_rules_add_outlives_a_reload_and_is_saved_at_the_end(void **state)
{
    const char *rules =
        RULE("1", "dataset:set,c.seen,type string,state seen.lst;") RULE("2", "dataset:isset,c.seen;");
    struct ruleset_source src = {.state_dir = dir};
    struct loaded one = load_here(rules, src), two;

    assert_int_equal(one.errs.n, 0); /* no file yet: that is no error */
    assert_true(says(&one, 1, "YWJj"));
    two = load_here(rules, src);
    assert_true(says(&two, 2, "YWJj"));
    unload(&one);
    assert_null(get("seen.lst"));
    unload(&two);
    assert_string_equal(get("seen.lst"), "YWJj\n");
    one = load_here(rules, src); /* as after a restart */
    assert_true(says(&one, 2, "YWJj"));
    put("seen.lst", "ZGVm\n");
    unload(&one); /* nothing changed: nothing is written */
    assert_string_equal(get("seen.lst"), "ZGVm\n");
    unlink("seen.lst");
}

static void a_loaded_set_is_read_anew(void **state)
{
    const char *rules = RULE("1", "dataset:isset,d.list,type string,load d.lst;");
    struct loaded one, two;

    put("d.lst", "YWJj\n");
    one = load_here(rules, (struct ruleset_source){0});
    put("d.lst", "ZGVm\n");
    two = load_here(rules, (struct ruleset_source){0});
    assert_true(says(&one, 1, "YWJj") && !says(&one, 1, "ZGVm"));
    assert_true(!says(&two, 1, "YWJj") && says(&two, 1, "ZGVm"));
    unload(&one);
    assert_true(says(&two, 1, "ZGVm"));
    unload(&two);
}

static void a_million_entries(void **state)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof(path), "%s/million.lst", dir);
    f = fopen(path, "we");
    for (uint32_t i = 0; i < 1000000; i++)
        fprintf(f, "%08x%08x%08x%08x\n", i, i * 7, i ^ 0x1234, 5u);
    fclose(f);
    struct loaded l = load_here("alert udp any any -> any any (udp.hdr; to_md5; dataset:isset,e.digests,type "
                                "md5,load million.lst; sid:1;)\n",
                                (struct ruleset_source){0});
    assert_int_equal(l.errs.n, 0);
    assert_int_equal(ruleset_n_rules(l.rs), 1);
    unload(&l);
}

static void mistakes_in_files_and_rules(void **state)
{
    static const struct {
        const char *options, *part;
    } bad[] = {
        {"dataset:isset,f.a,type string,load nowhere.lst;", "nowhere.lst"},
        {"dataset:isset,f.b;", "is not known"},
        {"dataset:isset,f.c,type blob;", "cannot be read"},
        {"dataset:have,f.d,type string;", "cannot be read"},
        {"dataset:set,f.e,type string,state ../x;", "not below"},
        {"dataset:set,f.f,type string,save /etc/passwd;", "not below"},
        {"dataset:set,f.g,type string,state a,load b;", "state together"},
        {"dataset:isset,f.h,type string; dataset:isset,f.h,type md5;", "another type"},
        {"dataset:set,f.i,type string,memcap 1zb;", "cannot be read"},
        {"datarep:f.j,>,70000,type string;", "cannot be read"},
        {"datarep:f.k,~,7,type string;", "cannot be read"},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char rule[512];

        snprintf(rule, sizeof(rule), "alert udp any any -> any any (" B64 "%s sid:1;)\n", bad[i].options);
        struct loaded l = load_here(rule, (struct ruleset_source){0});
        if (l.errs.n == 0 || strstr(l.errs.v[0].text, bad[i].part) == NULL || l.errs.v[0].remedy[0] == '\0')
            fail_msg("%s: %s", bad[i].options, l.errs.n ? l.errs.v[0].text : "accepted");
        assert_int_equal(ruleset_n_rules(l.rs), 0);
        unload(&l);
    }
    assert_options_refused("dataset:isset,f.l,type string;", "sticky buffer");
    put("bad.lst", "YWJj\n\n!!!\nZGVm\nYQ=\n");
    struct loaded l =
        load_here(RULE("1", "dataset:isset,f.m,type string,load bad.lst;"), (struct ruleset_source){0});
    assert_int_equal(l.errs.n, 2);
    assert_int_equal(l.errs.v[0].line, 3);
    assert_int_equal(l.errs.v[1].line, 5);
    assert_true(says(&l, 1, "ZGVm")); /* the good lines count */
    unload(&l);
}

/* --- iprep --------------------------------------------------------------------------------------------------------- */

static bool says_of(const struct loaded *l, uint32_t sid, const char *src, const char *dst)
{
    return rule_matches(l->rs, sid, &(struct pkt){.proto = 17, .src = src, .dst = dst});
}

#define IPREP(sid, what) "alert ip any any -> any any (iprep:" what "; sid:" sid ";)\n"

static void reputation_of_addresses(void **state)
{
    char categories[128], hosts[128];
    const char *files[1] = {hosts};

    strcpy(categories,
           put("categories.txt", "1,BadHosts,Known bad hosts\n2,CnC,Command and control\n3,Empty,None\n"));
    strcpy(hosts, put("hosts.rep", "1.2.3.4,1,100\n10.0.0.0/8,1,20\n10.1.0.0/16,1,50\n10.1.2.3,1,0\n"
                                   "2001:db8::/32,2,70\n5.5.5.5,2,10\n5.5.5.5,2,30\n"));
    const struct ruleset_source src = {
        .reputation_categories = categories, .reputation_files = files, .n_reputation_files = 1};
    struct loaded l = load_here(IPREP("1", "src,BadHosts,>,30") IPREP("2", "any,BadHosts,=,20")
                                    IPREP("3", "both,CnC,>=,30") IPREP("4", "dst,CnC,isset")
                                        IPREP("5", "src,BadHosts,isnotset") IPREP("6", "src,Empty,<,127"),
                                src);

    err_list_print(&l.errs, stderr);
    assert_int_equal(l.errs.n, 0);
    assert_true(says_of(&l, 1, "1.2.3.4", "9.9.9.9"));
    assert_false(says_of(&l, 1, "9.9.9.9", "1.2.3.4"));
    assert_true(says_of(&l, 1, "10.1.255.255", "9.9.9.9"));
    assert_false(says_of(&l, 1, "10.2.0.0", "9.9.9.9"));
    assert_true(says_of(&l, 2, "9.9.9.9", "10.2.0.0"));
    assert_true(says_of(&l, 2, "10.0.255.255", "9.9.9.9"));
    assert_false(says_of(&l, 2, "11.0.0.0", "9.255.255.255"));
    assert_true(says_of(&l, 3, "2001:db8::1", "5.5.5.5")); /* the later line of two */
    assert_false(says_of(&l, 3, "2001:db9::", "5.5.5.5"));
    assert_true(says_of(&l, 4, "9.9.9.9", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"));
    assert_true(says_of(&l, 5, "10.1.2.3", "9.9.9.9")); /* 0 inside a network: nothing is known */
    assert_false(says_of(&l, 5, "10.1.2.4", "9.9.9.9"));
    assert_false(says_of(&l, 6, "1.2.3.4", "5.5.5.5"));
    assert_true(ruleset_rule(l.rs, find_rule(l.rs, 1))->flags & RULE_IP_ONLY);
    unload(&l);

    l = load_here(IPREP("1", "src,Nothing,>,30"), src);
    assert_true(l.errs.n == 1 && strstr(l.errs.v[0].text, "no category"));
    unload(&l);
    l = load_here(IPREP("1", "src,BadHosts,>,30"), (struct ruleset_source){0});
    assert_int_equal(l.errs.n, 0);
    assert_int_equal(ruleset_stats(l.rs)->n_dormant, 1);
    unload(&l);
    strcpy(hosts, put("hosts.rep", "1.2.3.4,1,100\n1.2.3,1,5\n1.2.3.4,9,5\n1.2.3.4,1,128\n"));
    l = load_here(IPREP("1", "src,BadHosts,>,30"), src);
    assert_int_equal(l.errs.n, 3);
    assert_int_equal(l.errs.v[0].line, 2);
    assert_true(says_of(&l, 1, "1.2.3.4", "9.9.9.9"));
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_against_an_array),
        cmocka_unit_test(a_full_set_says_so_and_stays),
        cmocka_unit_test(addresses_have_one_form),
        cmocka_unit_test(threads_add_each_value_once),
        cmocka_unit_test(rules_ask_and_fill),
        cmocka_unit_test(reputations_of_values),
        cmocka_unit_test(what_rules_add_outlives_a_reload_and_is_saved_at_the_end),
        cmocka_unit_test(a_loaded_set_is_read_anew),
        cmocka_unit_test(a_million_entries),
        cmocka_unit_test(mistakes_in_files_and_rules),
        cmocka_unit_test(reputation_of_addresses),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
