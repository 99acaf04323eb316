#include <stdlib.h>
#include <string.h>

#include "control/certlogic_words.h"
#include "control/cli/client.h"
#include "control/cli/explain.h"

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* The text for people where there is one, else the name. */
static const char *text_of(const cJSON *object, const char *name, const char *for_people)
{
    const char *text = cli_text(object, for_people);
    return *text ? text : cli_text(object, name);
}

static void print_value(const char *name, const cJSON *value)
{
    char *text = cJSON_PrintUnformatted(value);
    printf("    %-26s %s\n", name, text ? text : "");
    cJSON_free(text);
}

static void print_decided(const cJSON *decided, bool zh)
{
    char *number = cJSON_PrintUnformatted(member(decided, "number"));
    printf(zh ? "决定%s，%s由工作线程%.0f作出\n\n" : "decision %s, made at %s by worker %.0f\n\n", number ? number : "",
           cli_text(decided, "at"), cli_number(decided, "worker"));
    cJSON_free(number);
}

static void print_rows(const cJSON *rows)
{
    const cJSON *row;
    cJSON_ArrayForEach(row, rows)
    {
        const char *error = cli_text(row, "error");
        printf("    %-6s %-28s %s%s%s\n", text_of(row, "table", "table_text"), cli_text(row, "rule"),
               text_of(row, "result", "result_text"), *error ? ": " : "", error);
    }
}

static void print_verdict(const cJSON *told, bool zh)
{
    const cJSON *name, *text = member(told, "obligation_texts") ? member(told, "obligation_texts")->child : NULL;
    printf("\n%s, %s, %s: %s\n", cli_text(told, "verdict"), cli_text(told, "colour"), cli_text(told, "reason"),
           cli_text(told, "text"));
    cJSON_ArrayForEach(name, member(told, "obligations"))
    {
        printf(zh ? "义务        %s：%s\n" : "obligation  %s: %s\n", name->valuestring, text ? text->valuestring : "");
        text = text ? text->next : NULL;
    }
    cJSON_ArrayForEach(name, member(told, "lacking"))
    {
        printf(zh ? "缺少        %s\n" : "lacking     %s\n", name->valuestring);
    }
    if (member(told, "until"))
        printf(zh ? "截止        %s\n" : "until       %s\n", cli_text(told, "until"));
    if (member(told, "rule"))
        printf(zh ? "规则        %s，规则版本%.0f\n" : "rule        %s, version %.0f of the rules\n",
               cli_text(told, "rule"), cli_number(told, "rules_version"));
}

static void print_row_text(const cJSON *row)
{
    static const char *const members[] = {"note", "from", "to", "when", "until"};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const cJSON *value = member(row, members[i]);
        char *text = cJSON_IsString(value) ? strdup(value->valuestring) : certlogic_words_text(value);
        if (value)
            printf("    %-26s %s\n", members[i], text ? text : "");
        free(text);
    }
}

static void print_recorded(const cJSON *recorded, bool zh)
{
    const cJSON *name;
    if (cJSON_IsTrue(member(recorded, "same"))) {
        puts(zh ? "与记录的答复一致" : "the same as the recorded answer");
        return;
    }
    printf(zh ? "记录的答复为%s、%s，规则%s；不同之处：" : "the recorded answer was %s, %s by row %s; other now:",
           cli_text(recorded, "verdict"), cli_text(recorded, "reason"),
           *cli_text(recorded, "rule") ? cli_text(recorded, "rule") : "-");
    cJSON_ArrayForEach(name, member(recorded, "differs"))
    {
        printf(" %s", name->valuestring);
    }
    putchar('\n');
}

void explain_print(const cJSON *told, enum language language)
{
    const cJSON *item;
    bool zh = language == LANGUAGE_CHINESE;
    if (member(told, "decided"))
        print_decided(member(told, "decided"), zh);
    cJSON_ArrayForEach(item, member(told, "steps"))
    {
        printf("%-10s %-12s %s\n", text_of(item, "step", "step_text"), text_of(item, "result", "result_text"),
               cli_text(item, "detail"));
    }
    if (member(told, "facts"))
        puts(zh ? "\n事实" : "\nfacts");
    cJSON_ArrayForEach(item, member(told, "facts")) print_value(item->string, item);
    if (member(told, "rows"))
        puts(zh ? "\n已试规则行" : "\nrows tried");
    print_rows(member(told, "rows"));
    print_verdict(told, zh);
    print_row_text(member(told, "row"));
    if (member(told, "recorded"))
        print_recorded(member(told, "recorded"), zh);
    cJSON_ArrayForEach(item, member(told, "notes"))
        printf(zh ? "注意        %s\n" : "note        %s\n", item->valuestring);
}
