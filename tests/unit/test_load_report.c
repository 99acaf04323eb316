/* The report: complete, self-contained, small, and a real browser draws it. */
#include "tests/unit/unit.h"

#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dataplane/coap.h"
#include "dataplane/reasons.h"
#include "tests/load/random.h"
#include "tests/load/report.h"

#define PAGE_BYTES_MAX 500000
#define PICTURE_BYTES_MIN 20000

extern char **environ;

static char directory[] = "/tmp/chengmen-report-XXXXXX";
static char page[128], picture[128], json[128];

/* A run with a storm in its middle, one wrong answer, and as long a series as there can be. */
static void make_result(struct result *result)
{
    struct random random = random_of(1, 'R', 0);
    memset(result, 0, sizeof *result);
    for (uint32_t i = 0; i < SERIES_MAX; i++) {
        bool storm = i > 240 && i < 320;
        double rate = storm ? 50000 : 14000;
        result->series[result->series_count++] = (struct series_point){i * 0.1,
                                                                       rate,
                                                                       rate * (storm ? 0.8 : 1),
                                                                       storm ? rate * 0.2 : 0,
                                                                       storm ? 900000 : 40000,
                                                                       storm ? 9000000 : 90000,
                                                                       storm ? 30000000 : 200000};
        for (int k = 0; k < 200; k++)
            histogram_record(&result->latency,
                             (uint64_t)((storm ? 900000 : 40000) * (1 + random_exponential(&random))));
    }
    result->duration_s = 60;
    result->rate_per_s = 17000;
    result->counts =
        (struct load_counts){.due = 1000000, .sent = 1000000, .answered = 990000, .lost = 10000, .right = 989999};
    result->counts.verdicts[VERDICT_ALLOW] = 970000;
    result->counts.verdicts[VERDICT_DENY] = 20000;
    result->counts.reasons[REASON_GREEN] = 970000;
    result->counts.reasons[REASON_RED] = 19999;
    result->counts.wrong[WRONG_VERDICT] = 1;
    result->sample_count = 1;
    result->samples[0] = (struct wrong_sample){.wrong = WRONG_VERDICT,
                                               .kind = KIND_FORGED,
                                               .expected = {COAP_CONTENT, VERDICT_DENY, 0, REASON_SIGNATURE, 0},
                                               .code = COAP_CONTENT,
                                               .verdict = VERDICT_ALLOW,
                                               .reason = REASON_GREEN};
}

static int write_report(void **state)
{
    static struct result result;
    static struct profile profile = {.name = "storm <b>&", .text = "\"quoted\" </html>", .points = 30000};
    struct report_terms terms = {"search", &profile, "10.0.0.1:5683", "net_memif0", "none", 1, 0.001};
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    snprintf(page, sizeof page, "%s/report.html", directory);
    snprintf(json, sizeof json, "%s/report.json", directory);
    snprintf(picture, sizeof picture, "%s/report.png", directory);
    make_result(&result);
    cJSON *report = report_of_run(&terms, &result);
    report_add_highest(report, 1234567);
    for (int i = 1; i <= 9; i++)
        report_add_curve_point(report, i * 0.1, i * 100000.0, &result);
    bool good = report && report_save(report, json, page);
    cJSON_Delete(report);
    return good ? 0 : -1;
}

static int remove_report(void **state)
{
    (void)state;
    unlink(page);
    unlink(json);
    unlink(picture);
    return rmdir(directory);
}

static char *read_page(size_t *size)
{
    FILE *file = fopen(page, "re");
    char *text = calloc(1, 2 * PAGE_BYTES_MAX);
    assert_non_null(file);
    *size = fread(text, 1, 2 * PAGE_BYTES_MAX - 1, file);
    fclose(file);
    return text;
}

static void the_page_stands_alone_and_is_small(void **state)
{
    size_t size;
    char *text = read_page(&size);
    (void)state;
    assert_in_range(size, 10000, PAGE_BYTES_MAX);
    assert_null(strstr(text, "http"));
    assert_null(strstr(text, "src="));
    assert_null(strstr(text, "url("));
    assert_null(strstr(text, "<script"));
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf "));
    free(text);
}

static void the_page_says_what_was_found(void **state)
{
    static const char *const expected[] = {"storm &lt;b&gt;&amp;",
                                           "&quot;quoted&quot; &lt;/html&gt;",
                                           "failed",
                                           "Latency by percentile",
                                           "Latency over load",
                                           "Rates",
                                           "Verdicts",
                                           "ALLOW",
                                           "DENY, SIGNATURE",
                                           "prefers-color-scheme:dark",
                                           "@media print",
                                           "forged"};
    size_t size;
    char *text = read_page(&size);
    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_non_null(strstr(text, expected[i]));
    free(text);
}

static void the_json_carries_every_figure(void **state)
{
    struct bytes text;
    char error[100];
    (void)state;
    assert_true(json_read_file(json, &text, error, sizeof error));
    cJSON *report = json_parse(text, NULL);
    assert_non_null(report);
    assert_true(cJSON_GetObjectItem(report, "loss")->valuedouble == 0.01);
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(report, "passed")));
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(report, "series")), SERIES_MAX);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(report, "curve")), 9);
    cJSON_Delete(report);
    free((void *)(uintptr_t)text.data);
}

static void a_browser_draws_it(void **state)
{
    char shot[160], url[160];
    (void)state;
    if (access("/usr/bin/chromium", X_OK) != 0) {
        print_message("chromium is not installed: the page was not drawn\n");
        skip();
    }
    snprintf(shot, sizeof shot, "--screenshot=%s", picture);
    snprintf(url, sizeof url, "file://%s", page);
    char *arguments[] = {(char[]){"chromium"},
                         (char[]){"--headless"},
                         (char[]){"--no-sandbox"},
                         (char[]){"--disable-gpu"},
                         (char[]){"--hide-scrollbars"},
                         (char[]){"--window-size=1000,2600"},
                         shot,
                         url,
                         NULL};
    pid_t pid;
    int status;
    struct stat file;
    assert_int_equal(posix_spawn(&pid, "/usr/bin/chromium", NULL, NULL, arguments, environ), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(stat(picture, &file), 0);
    assert_true(file.st_size > PICTURE_BYTES_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_stands_alone_and_is_small),
        cmocka_unit_test(the_page_says_what_was_found),
        cmocka_unit_test(the_json_carries_every_figure),
        cmocka_unit_test(a_browser_draws_it),
    };
    return cmocka_run_group_tests(tests, write_report, getenv("KEEP") ? NULL : remove_report);
}
