#include "tests/reference/certlogic_reference.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum kind { JSON, ARRAY, CONTEXT, DATE };

/* JSON: a node of the expression or the data. ARRAY: made by an expression. CONTEXT: what a lambda sees. */
struct node {
    enum kind kind;
    const cJSON *json;
    const struct node **items; /* ARRAY; of a CONTEXT accumulator and current */
    size_t count;
    long long ms;
    struct node *next_made;
};

struct reference {
    struct node *made; /* all nodes, freed together */
};

static struct node *make(struct reference *r, enum kind kind)
{
    struct node *node = calloc(1, sizeof *node);
    if (!node)
        abort();
    node->kind = kind;
    node->next_made = r->made;
    r->made = node;
    return node;
}

static const struct node *make_json(struct reference *r, const cJSON *json)
{
    struct node *node = make(r, JSON);
    node->json = json;
    return node;
}

static const cJSON true_json = {.type = cJSON_True}, false_json = {.type = cJSON_False},
                   null_json = {.type = cJSON_NULL};

static const struct node *make_bool(struct reference *r, bool value)
{
    return make_json(r, value ? &true_json : &false_json);
}

static const struct node *make_number(struct reference *r, double value)
{
    struct node *node = make(r, JSON);
    cJSON *json = cJSON_CreateNumber(value);
    node->json = json;
    node->ms = 1; /* its JSON is its own */
    return node;
}

static const struct node *make_text(struct reference *r, const char *text)
{
    struct node *node = make(r, JSON);
    node->json = cJSON_CreateString(text);
    node->ms = 1;
    return node;
}

static void free_made(struct reference *r)
{
    while (r->made) {
        struct node *node = r->made;
        r->made = node->next_made;
        if (node->kind == JSON && node->ms == 1)
            cJSON_Delete((cJSON *)node->json);
        free(node->items);
        free(node);
    }
}

static bool is_integer(const struct node *n)
{
    return n->kind == JSON && cJSON_IsNumber(n->json) && floor(n->json->valuedouble) == n->json->valuedouble;
}

static bool is_text(const struct node *n)
{
    return n->kind == JSON && cJSON_IsString(n->json);
}

static bool is_null(const struct node *n)
{
    return n->kind == JSON && cJSON_IsNull(n->json);
}

static bool is_array(const struct node *n)
{
    return n->kind == ARRAY || (n->kind == JSON && cJSON_IsArray(n->json));
}

static size_t array_count(const struct node *n)
{
    return n->kind == ARRAY ? n->count : (size_t)cJSON_GetArraySize(n->json);
}

static const struct node *array_item(struct reference *r, const struct node *n, size_t index)
{
    return n->kind == ARRAY ? n->items[index] : make_json(r, cJSON_GetArrayItem(n->json, (int)index));
}

static enum reference_truth truth(const struct node *n)
{
    if (n->kind == DATE)
        return REFERENCE_ERROR;
    if (n->kind == CONTEXT)
        return REFERENCE_TRUTHY;
    if (is_array(n))
        return array_count(n) > 0 ? REFERENCE_TRUTHY : REFERENCE_FALSY;
    if (cJSON_IsString(n->json))
        return n->json->valuestring[0] ? REFERENCE_TRUTHY : REFERENCE_FALSY;
    if (cJSON_IsNumber(n->json))
        return n->json->valuedouble != 0 ? REFERENCE_TRUTHY : REFERENCE_FALSY;
    if (cJSON_IsObject(n->json))
        return n->json->child ? REFERENCE_TRUTHY : REFERENCE_FALSY;
    return cJSON_IsTrue(n->json) ? REFERENCE_TRUTHY : REFERENCE_FALSY;
}

static bool same(const struct node *a, const struct node *b)
{
    if (a == b)
        return true;
    if (a->kind != JSON || b->kind != JSON)
        return false;
    if (a->json == b->json)
        return true;
    if (cJSON_IsBool(a->json) || cJSON_IsBool(b->json))
        return cJSON_IsBool(a->json) && cJSON_IsBool(b->json) && cJSON_IsTrue(a->json) == cJSON_IsTrue(b->json);
    if (a->json->type != b->json->type || is_array(a) || cJSON_IsObject(a->json))
        return false;
    if (is_text(a))
        return strcmp(a->json->valuestring, b->json->valuestring) == 0;
    return !cJSON_IsNumber(a->json) || a->json->valuedouble == b->json->valuedouble;
}

static const struct node *step(struct reference *r, const struct node *n, const char *fragment)
{
    if (n->kind == CONTEXT && strcmp(fragment, "accumulator") == 0)
        return n->items[0];
    if (n->kind == CONTEXT && strcmp(fragment, "current") == 0)
        return n->items[1];
    if (is_array(n) && strspn(fragment, "0123456789") == strlen(fragment) && strlen(fragment) < 10 &&
        (size_t)atol(fragment) < array_count(n))
        return array_item(r, n, (size_t)atol(fragment));
    if (n->kind == JSON && cJSON_IsObject(n->json) && cJSON_GetObjectItemCaseSensitive(n->json, fragment))
        return make_json(r, cJSON_GetObjectItemCaseSensitive(n->json, fragment));
    return make_json(r, &null_json);
}

static const struct node *access_path(struct reference *r, const struct node *data, const char *path)
{
    char copy[1024];
    snprintf(copy, sizeof copy, "%s", path);
    for (char *rest = copy, *fragment; path[0] && (fragment = strsep(&rest, "."));)
        data = step(r, data, fragment);
    return data;
}

static bool digits(const char *text, size_t count)
{
    return strspn(text, "0123456789") == count;
}

/* YYYY, YYYY-MM, YYYY-MM-DD; returns the length, 0 where it is none of them. */
static size_t read_day(const char *text, struct tm *tm)
{
    int year, month = 12, day = 31, given;
    if (!digits(text, 4))
        return 0;
    sscanf(text, "%4d", &year);
    *tm = (struct tm){.tm_year = year - 1900, .tm_mon = 11, .tm_mday = 31};
    if (text[4] != '-')
        return 4;
    if (!digits(text + 5, 2) || sscanf(text + 5, "%2d", &month) != 1 || month < 1 || month > 12)
        return 0;
    struct tm last = {.tm_year = year - 1900, .tm_mon = month, .tm_mday = 0};
    timegm(&last);
    day = last.tm_mday;
    *tm = (struct tm){.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
    if (text[7] != '-')
        return 7;
    if (!digits(text + 8, 2) || sscanf(text + 8, "%2d", &given) != 1 || given < 1 || given > day)
        return 0;
    tm->tm_mday = given;
    return 10;
}

/* Empty, Z, or a sign and h, hh, hmm, hhmm, h:mm, hh:mm. */
static bool read_offset(const char *text, long long *ms)
{
    int hours = 0, minutes = 0;
    long long sign = *text == '+' ? -1 : 1;
    *ms = 0;
    if (*text == 0 || strcmp(text, "Z") == 0)
        return true;
    if (*text != '+' && *text != '-')
        return false;
    size_t count = strspn(++text, "0123456789");
    if (text[count] == ':' && count >= 1 && count <= 2 && digits(text + count + 1, 2) && text[count + 3] == 0) {
        sscanf(text, "%d:%d", &hours, &minutes);
    } else if (text[count] == 0 && count >= 1 && count <= 4) {
        hours = count > 2 ? atoi(text) / 100 : atoi(text);
        minutes = count > 2 ? atoi(text) % 100 : 0;
    } else {
        return false;
    }
    *ms = sign * (hours * 60LL + minutes) * 60000;
    return hours <= 23 && minutes <= 59;
}

/* hh:mm:ss, a fraction, an offset. */
static bool read_time(const char *text, long long *ms)
{
    int h, m, s, part = 0;
    long long offset;
    if (!digits(text, 2) || text[2] != ':' || !digits(text + 3, 2) || text[5] != ':' || !digits(text + 6, 2) ||
        sscanf(text, "%2d:%2d:%2d", &h, &m, &s) != 3 || h > 24 || m > 59 || s > 59)
        return false;
    text += 8;
    if (*text == '.') {
        size_t count = strspn(text + 1, "0123456789");
        char three[4] = "000";
        if (count == 0)
            return false;
        memcpy(three, text + 1, count < 3 ? count : 3);
        part = atoi(three);
        text += 1 + count;
    }
    if (!read_offset(text, &offset) || (h == 24 && (m || s || part)))
        return false;
    *ms = ((h * 60LL + m) * 60 + s) * 1000 + part + offset;
    return true;
}

static bool read_date(const char *text, long long *ms)
{
    struct tm tm;
    long long time_ms = 0;
    size_t length = read_day(text, &tm);
    if (length == 0 || (text[length] != 0 && (length != 10 || text[10] != 'T' || !read_time(text + 11, &time_ms))))
        return false;
    *ms = (long long)timegm(&tm) * 1000 + time_ms;
    return true;
}

static const struct node *eval(struct reference *r, const cJSON *e, const struct node *data);

static const struct node *plus_time(struct reference *r, const cJSON *operands, const struct node *data)
{
    const struct node *text = eval(r, operands->child, data);
    const char *unit = operands->child->next->next->valuestring;
    double amount = operands->child->next->valuedouble;
    long long ms;
    if (!text || !is_text(text) || !read_date(text->json->valuestring, &ms) || fabs(amount) > 1e8)
        return NULL;
    struct node *date = make(r, DATE);
    long long part = ((ms % 1000) + 1000) % 1000;
    time_t seconds = (time_t)((ms - part) / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    if (strcmp(unit, "year") == 0)
        tm.tm_year += (int)amount;
    else if (strcmp(unit, "month") == 0)
        tm.tm_mon += (int)amount;
    else if (strcmp(unit, "day") == 0)
        tm.tm_mday += (int)amount;
    else
        tm.tm_hour += (int)amount;
    date->ms = (long long)timegm(&tm) * 1000 + part;
    return date->ms > 8640000000000000LL || date->ms < -8640000000000000LL ? NULL : date;
}

static const struct node *extract(struct reference *r, const cJSON *operands, const struct node *data)
{
    const struct node *text = eval(r, operands->child, data);
    double index = operands->child->next->valuedouble, at = 0;
    if (!text || (!is_null(text) && !is_text(text)))
        return NULL;
    if (is_null(text) || index < 0)
        return make_json(r, &null_json);
    const char *rest = text->json->valuestring;
    if (strncmp(rest, "URN:UVCI:", 9) == 0)
        rest += 9;
    for (;; at++) {
        size_t length = strcspn(rest, "/#:");
        if (at == index) {
            char copy[1024];
            snprintf(copy, sizeof copy, "%.*s", (int)length, rest);
            return make_text(r, copy);
        }
        if (rest[length] == 0)
            return make_json(r, &null_json);
        rest += length + 1;
    }
}

static const struct node *reduce(struct reference *r, const cJSON *operands, const struct node *data)
{
    const struct node *array = eval(r, operands->child, data);
    const struct node *accumulator = array ? eval(r, operands->child->next->next, data) : NULL;
    if (!accumulator || is_null(array))
        return accumulator;
    if (!is_array(array))
        return NULL;
    for (size_t i = 0; i < array_count(array) && accumulator; i++) {
        struct node *context = make(r, CONTEXT);
        context->items = calloc(2, sizeof *context->items);
        context->items[0] = accumulator;
        context->items[1] = array_item(r, array, i);
        accumulator = eval(r, operands->child->next, context);
    }
    return accumulator;
}

static const struct node *compare(struct reference *r, const char *operator, const cJSON * operands,
                                  const struct node *data, bool dates)
{
    double values[3];
    int count = 0;
    const cJSON *operand;
    cJSON_ArrayForEach(operand, operands)
    {
        const struct node *value = eval(r, operand, data);
        if (!value || (dates ? value->kind != DATE : !is_integer(value)))
            return NULL;
        values[count++] = dates ? (double)value->ms : value->json->valuedouble;
    }
    bool holds = true;
    for (int i = 1; i < count; i++) {
        double a = values[i - 1], b = values[i];
        if (strcmp(operator, "<") == 0 || strcmp(operator, "before") == 0)
            holds = holds && a < b;
        else if (strcmp(operator, ">") == 0 || strcmp(operator, "after") == 0)
            holds = holds && a > b;
        else if (strcmp(operator, "<=") == 0 || strcmp(operator, "not-after") == 0)
            holds = holds && a <= b;
        else
            holds = holds && a >= b;
    }
    return make_bool(r, holds);
}

static const struct node *both(struct reference *r, const char *operator, const cJSON * operands,
                               const struct node *data)
{
    const struct node *a = eval(r, operands->child, data);
    const struct node *b = a ? eval(r, operands->child->next, data) : NULL;
    if (!b)
        return NULL;
    if (strcmp(operator, "===") == 0)
        return make_bool(r, same(a, b));
    if (strcmp(operator, "+") == 0)
        return is_integer(a) && is_integer(b) ? make_number(r, a->json->valuedouble + b->json->valuedouble) : NULL;
    if (!is_array(b))
        return NULL;
    for (size_t i = 0; i < array_count(b); i++)
        if (same(a, array_item(r, b, i)))
            return make_bool(r, true);
    return make_bool(r, false);
}

static const struct node *conjunction(struct reference *r, const cJSON *operands, const struct node *data)
{
    const struct node *value = NULL;
    const cJSON *operand;
    cJSON_ArrayForEach(operand, operands)
    {
        value = eval(r, operand, data);
        if (!value || truth(value) == REFERENCE_ERROR)
            return NULL;
        if (truth(value) == REFERENCE_FALSY)
            return value;
    }
    return value;
}

static const struct node *operation(struct reference *r, const cJSON *e, const struct node *data)
{
    const char *operator= e->child->string;
    const cJSON *operands = e->child;
    if (strcmp(operator, "var") == 0)
        return access_path(r, data, operands->valuestring);
    if (strcmp(operator, "and") == 0)
        return conjunction(r, operands, data);
    if (strcmp(operator, "if") == 0 || strcmp(operator, "!") == 0) {
        const struct node *guard = eval(r, operands->child, data);
        if (!guard || truth(guard) == REFERENCE_ERROR)
            return NULL;
        bool holds = truth(guard) == REFERENCE_TRUTHY;
        if (operator[0] == '!')
            return make_bool(r, !holds);
        return eval(r, holds ? operands->child->next : operands->child->next->next, data);
    }
    if (strcmp(operator, "plusTime") == 0)
        return plus_time(r, operands, data);
    if (strcmp(operator, "extractFromUVCI") == 0)
        return extract(r, operands, data);
    if (strcmp(operator, "reduce") == 0)
        return reduce(r, operands, data);
    if (strcmp(operator, "dccDateOfBirth") == 0) {
        const struct node *text = eval(r, operands->child, data);
        struct node *date = make(r, DATE);
        return text && is_text(text) && !strchr(text->json->valuestring, 'T') &&
                       read_date(text->json->valuestring, &date->ms)
                   ? date
                   : NULL;
    }
    if (strcmp(operator, "===") == 0 || strcmp(operator, "+") == 0 || strcmp(operator, "in") == 0)
        return both(r, operator, operands, data);
    return compare(r, operator, operands, data, operator[0] != '<' && operator[0] != '>');
}

static const struct node *eval(struct reference *r, const cJSON *e, const struct node *data)
{
    if (cJSON_IsObject(e))
        return operation(r, e, data);
    if (!cJSON_IsArray(e))
        return make_json(r, e);
    struct node *array = make(r, ARRAY);
    array->items = calloc((size_t)cJSON_GetArraySize(e) + 1, sizeof *array->items);
    const cJSON *item;
    cJSON_ArrayForEach(item, e)
    {
        const struct node *value = eval(r, item, data);
        if (!value)
            return NULL;
        array->items[array->count++] = value;
    }
    return array;
}

static void print_json(FILE *out, const cJSON *json)
{
    char separator = cJSON_IsArray(json) ? '[' : '{';
    const cJSON *item;
    if (cJSON_IsNumber(json)) {
        double value = json->valuedouble;
        fprintf(out, floor(value) == value ? "%.0f" : "%g", value == 0 ? 0 : value);
    } else if (cJSON_IsArray(json) || cJSON_IsObject(json)) {
        cJSON_ArrayForEach(item, json)
        {
            fputc(separator, out);
            separator = ',';
            if (item->string)
                fprintf(out, "\"%s\":", item->string);
            print_json(out, item);
        }
        fputs(json->child ? cJSON_IsArray(json) ? "]" : "}" : cJSON_IsArray(json) ? "[]" : "{}", out);
    } else {
        char *text = cJSON_PrintUnformatted(json);
        fputs(text, out);
        free(text);
    }
}

static void print(FILE *out, const struct node *n)
{
    if (n->kind == JSON) {
        print_json(out, n->json);
    } else if (n->kind == ARRAY) {
        for (size_t i = 0; i < n->count; i++) {
            fputc(i ? ',' : '[', out);
            print(out, n->items[i]);
        }
        fputs(n->count ? "]" : "[]", out);
    } else if (n->kind == CONTEXT) {
        fputs("{\"accumulator\":", out);
        print(out, n->items[0]);
        fputs(",\"current\":", out);
        print(out, n->items[1]);
        fputc('}', out);
    } else {
        long long part = ((n->ms % 1000) + 1000) % 1000;
        time_t seconds = (time_t)((n->ms - part) / 1000);
        struct tm tm;
        gmtime_r(&seconds, &tm);
        int year = tm.tm_year + 1900;
        fprintf(out, year < 0 ? "\"-%06d" : year > 9999 ? "\"+%06d" : "\"%04d", abs(year));
        fprintf(out, "-%02d-%02dT%02d:%02d:%02d.%03lldZ\"", tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                part);
    }
}

char *reference_eval(const cJSON *logic, const cJSON *data)
{
    struct reference r = {NULL};
    const struct node *value = eval(&r, logic, make_json(&r, data));
    char *text = NULL;
    size_t size;
    if (value) {
        FILE *out = open_memstream(&text, &size);
        print(out, value);
        fclose(out);
    }
    free_made(&r);
    return text;
}

enum reference_truth reference_truth(const cJSON *logic, const cJSON *data)
{
    struct reference r = {NULL};
    const struct node *value = eval(&r, logic, make_json(&r, data));
    enum reference_truth result = value ? truth(value) : REFERENCE_ERROR;
    free_made(&r);
    return result;
}
