/* A gate that opens: reads codes, one a line, from its scanner (standard input), asks the appliance, and drives its
 * barrier, here a line on standard output. A gate that cannot ask stays closed and calls staff. */
#include <chengmen_scan.h>

#include <stdio.h>
#include <string.h>

#define PATIENCE_MS 5000 /* a person in front of a closed gate */

static void show(const struct chengmen_scan_answer *answer)
{
    if (chengmen_scan_opens(answer)) {
        puts("OPEN");
        return;
    }
    if (answer->result != CHENGMEN_SCAN_VERDICT)
        printf("CLOSED  call staff: %s\n", chengmen_scan_result_text(answer->result));
    else if (answer->verdict == CHENGMEN_SCAN_ALLOW_WITH_OBLIGATIONS)
        printf("CLOSED  staff opens after its duty: %s\n", chengmen_scan_reason_text(answer->reason, false));
    else
        printf("CLOSED  %s: %s\n", chengmen_scan_verdict_name(answer->verdict),
               chengmen_scan_reason_text(answer->reason, false));
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: %s APPLIANCE [CONTEXT.json] < codes\n", argv[0]);
        return 2;
    }
    struct chengmen_scan_options options = {
        .appliance = argv[1], .context_file = argc > 2 ? argv[2] : NULL, .deadline_ms = PATIENCE_MS};
    char error[200], line[CHENGMEN_SCAN_CODE_MAX + 2];
    struct chengmen_scan *scan = chengmen_scan_open(&options, error, sizeof error);
    if (!scan) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\r\n")] = 0;
        struct chengmen_scan_request request = {
            .code = line, .code_size = strlen(line), .direction = 0, .has_direction = true};
        struct chengmen_scan_answer answer;
        chengmen_scan_ask(scan, &request, &answer);
        show(&answer);
        fflush(stdout);
    }
    chengmen_scan_close(scan);
    return 0;
}
