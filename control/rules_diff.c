#include <stdio.h>
#include <stdlib.h>

#include "control/byte_set.h"
#include "control/certlogic_words.h"
#include "control/json_internal.h"
#include "control/rules_json.h"

static const char *text_of(const cJSON *object, const char *name)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsString(value) ? value->valuestring : "";
}

/* A member in words: texts without quotes, lists of texts by commas, conditions as people read them. */
static void put_member(FILE *out, const cJSON *object, const char *name)
{
    const cJSON *item, *value = cJSON_GetObjectItemCaseSensitive(object, name);
    if (!value || cJSON_IsNull(value) || (cJSON_IsArray(value) && !value->child)) {
        fputs("none", out);
    } else if (strcmp(name, "when") == 0 && cJSON_IsTrue(value)) {
        fputs("always", out);
    } else if (strcmp(name, "when") != 0 && cJSON_IsString(value)) {
        fputs(value->valuestring, out);
    } else if (strcmp(name, "obligations") == 0) {
        cJSON_ArrayForEach(item, value)
        {
            fprintf(out, "%s%s", item == value->child ? "" : ", ", item->valuestring);
        }
    } else {
        certlogic_words(value, out);
    }
}

static bool differs(const cJSON *before, const cJSON *after, const char *name)
{
    const cJSON *a = cJSON_GetObjectItemCaseSensitive(before, name), *b = cJSON_GetObjectItemCaseSensitive(after, name);
    return (a || b) && !cJSON_Compare(a, b, true);
}

static void say_members(FILE *out, const char *of, const cJSON *before, const cJSON *after, const char *const names[])
{
    for (unsigned i = 0; names[i]; i++) {
        if (!differs(before, after, names[i]))
            continue;
        fprintf(out, "%s%s: ", of, names[i]);
        put_member(out, after, names[i]);
        fputs("; was ", out);
        put_member(out, before, names[i]);
        fputc('\n', out);
    }
}

/* The rows of a list by their ids. */
struct rows {
    struct byte_set ids;
    const cJSON **rows;
};

static struct rows make_rows(const cJSON *list)
{
    struct rows rows = {.rows = json_grow(NULL, ((size_t)cJSON_GetArraySize(list) + 1) * sizeof *rows.rows)};
    const cJSON *row;
    cJSON_ArrayForEach(row, list)
    {
        rows.rows[byte_set_add(&rows.ids, bytes_of_text(text_of(row, "id")), NULL)] = row;
    }
    return rows;
}

static void free_rows(struct rows *rows)
{
    byte_set_free(&rows->ids);
    free(rows->rows);
}

static const cJSON *find_row(const struct rows *rows, const cJSON *row)
{
    uint32_t number;
    return byte_set_find(&rows->ids, bytes_of_text(text_of(row, "id")), &number) ? rows->rows[number] : NULL;
}

static void say_row(FILE *out, const char *list_name, const cJSON *row, const char *what)
{
    fprintf(out, "%s: row %s %s: %s, %s; when: ", list_name, text_of(row, "id"), what, text_of(row, "verdict"),
            text_of(row, "reason"));
    put_member(out, row, "when");
    if (cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(row, "obligations")) > 0) {
        fputs("; obligations: ", out);
        put_member(out, row, "obligations");
    }
    fputc('\n', out);
}

/* Rows that both have must stand in one order, or the first match is another. */
static void say_order(FILE *out, const char *list_name, const cJSON *old, const struct rows *before, const cJSON *after,
                      const struct rows *after_rows)
{
    const cJSON *row;
    cJSON_ArrayForEach(row, after)
    {
        if (!find_row(before, row))
            continue;
        while (old && !find_row(after_rows, old))
            old = old->next;
        if (old && strcmp(text_of(old, "id"), text_of(row, "id")) != 0) {
            fprintf(out, "%s: rows stand in another order from row %s on, where row %s stood\n", list_name,
                    text_of(row, "id"), text_of(old, "id"));
            return;
        }
        old = old ? old->next : NULL;
    }
}

static void say_list(FILE *out, const char *list_name, const cJSON *before, const cJSON *after)
{
    static const char *const members[] = {"from",        "to",    "when", "verdict", "reason",
                                          "obligations", "until", "note", NULL};
    struct rows before_rows = make_rows(before), after_rows = make_rows(after);
    const cJSON *row;
    cJSON_ArrayForEach(row, after)
    {
        const cJSON *old = find_row(&before_rows, row);
        char of[160];
        snprintf(of, sizeof of, "%s: row %s: ", list_name, text_of(row, "id"));
        if (old)
            say_members(out, of, old, row, members);
        else
            say_row(out, list_name, row, "is new");
    }
    cJSON_ArrayForEach(row, before)
    {
        if (!find_row(&after_rows, row))
            say_row(out, list_name, row, "is gone");
    }
    say_order(out, list_name, before ? before->child : NULL, &before_rows, after, &after_rows);
    free_rows(&before_rows);
    free_rows(&after_rows);
}

static void say_venues(FILE *out, const cJSON *before, const cJSON *after)
{
    const cJSON *venue;
    char name[96];
    cJSON_ArrayForEach(venue, after)
    {
        const cJSON *old = cJSON_GetObjectItemCaseSensitive(before, venue->string);
        snprintf(name, sizeof name, "venue %s", venue->string);
        if (!old)
            fprintf(out, "%s: class is new\n", name);
        say_list(out, name, old, venue);
    }
    cJSON_ArrayForEach(venue, before)
    {
        if (!cJSON_GetObjectItemCaseSensitive(after, venue->string))
            fprintf(out, "venue %s: class is gone with its %d rows\n", venue->string, cJSON_GetArraySize(venue));
    }
}

static bool has_item(const cJSON *array, const cJSON *item)
{
    const cJSON *other;
    cJSON_ArrayForEach(other, array)
    {
        if (cJSON_Compare(other, item, true))
            return true;
    }
    return false;
}

/* An issuer, or a row about one. */
static void say_item(FILE *out, const char *name, const cJSON *item, const char *what)
{
    fprintf(out, "%s: %s is %s", name, cJSON_IsString(item) ? item->valuestring : text_of(item, "issuer"), what);
    if (cJSON_IsObject(item)) {
        fprintf(out, ": counts as %s", text_of(item, "as"));
        if (*text_of(item, "from"))
            fprintf(out, " from %s", text_of(item, "from"));
        if (*text_of(item, "to"))
            fprintf(out, " to %s", text_of(item, "to"));
    }
    fputc('\n', out);
}

static void say_items(FILE *out, const char *name, const cJSON *before, const cJSON *after)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, before)
    {
        if (!has_item(after, item))
            say_item(out, name, item, "gone");
    }
    cJSON_ArrayForEach(item, after)
    {
        if (!has_item(before, item))
            say_item(out, name, item, "new");
    }
}

static bool valid(struct bytes text, struct json_problems *problems)
{
    uint8_t *program;
    size_t size;
    bool ok = rules_compile(text, false, NULL, &program, &size, problems);
    free(program);
    return ok;
}

char *rules_diff(struct bytes before_text, struct bytes after_text, struct json_problems *problems)
{
    static const char *const members[] = {"version", "issued", "from", "to", "same_point_s", "note", NULL};
    char *text = NULL;
    size_t size = 0;
    if (!valid(before_text, problems) || !valid(after_text, problems))
        return NULL;
    cJSON *before = json_parse(before_text, NULL), *after = json_parse(after_text, NULL);
    FILE *out = open_memstream(&text, &size);
    if (out) {
        say_members(out, "", before, after, members);
        say_items(out, "home", cJSON_GetObjectItemCaseSensitive(before, "home"),
                  cJSON_GetObjectItemCaseSensitive(after, "home"));
        say_items(out, "equivalence", cJSON_GetObjectItemCaseSensitive(before, "equivalence"),
                  cJSON_GetObjectItemCaseSensitive(after, "equivalence"));
        say_list(out, "city", cJSON_GetObjectItemCaseSensitive(before, "city"),
                 cJSON_GetObjectItemCaseSensitive(after, "city"));
        say_venues(out, cJSON_GetObjectItemCaseSensitive(before, "venues"),
                   cJSON_GetObjectItemCaseSensitive(after, "venues"));
        fclose(out);
    }
    cJSON_Delete(before);
    cJSON_Delete(after);
    return text;
}
