#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/certlogic.h"
#include "control/json_internal.h"
#include "dataplane/date_time.h"

#define EVAL_ROOM_VALUES 262144
#define EVAL_STEPS_MAX 10000000
/* Whole numbers below are written without an exponent, as ECMAScript does. */
#define NUMBER_PLAIN_MAX 1e21
#define RESULT_NODES_MAX 1000000
/* A member takes two; what is empty takes a place, since it is told from others by where it is. */
#define VALUES_PER_NODE 3

/* The data's values, made once for all paths. */
struct data {
    struct value root;
    struct value *values;
    size_t used;
};

/* Paths of the expression, a slot each; texts of the expression's tree. */
struct eval {
    struct data data;
    const char **paths;
    uint32_t path_count, path_room;
};

static size_t count_nodes(const cJSON *tree)
{
    size_t count = 1;
    const cJSON *item;
    cJSON_ArrayForEach(item, tree)
    {
        count += count_nodes(item);
    }
    return count;
}

static struct value make_value(struct data *data, const cJSON *tree);

static struct value make_object(struct data *data, const cJSON *tree, uint32_t count)
{
    struct value_member *members = (struct value_member *)(data->values + data->used);
    data->used += count > 0 ? (size_t)count * 2 : 1;
    uint32_t i = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, tree)
    {
        members[i++] = (struct value_member){value_of_text(bytes_of_text(item->string)), make_value(data, item)};
    }
    return (struct value){.kind = VALUE_OBJECT, .length = count, .members = members};
}

static struct value make_array(struct data *data, const cJSON *tree, uint32_t count)
{
    struct value *items = data->values + data->used;
    data->used += count > 0 ? count : 1;
    uint32_t i = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, tree)
    {
        items[i++] = make_value(data, item);
    }
    return (struct value){.kind = VALUE_ARRAY, .length = count, .items = items};
}

static struct value make_value(struct data *data, const cJSON *tree)
{
    struct value value;
    if (certlogic_scalar(tree, &value))
        return value;
    if (cJSON_IsObject(tree))
        return make_object(data, tree, (uint32_t)cJSON_GetArraySize(tree));
    if (cJSON_IsArray(tree))
        return make_array(data, tree, (uint32_t)cJSON_GetArraySize(tree));
    return (struct value){.kind = VALUE_NULL};
}

static bool add_path(void *context, const struct json_place *place, const char *path, uint32_t *slot, const char **rest,
                     struct json_problems *problems)
{
    struct eval *eval = context;
    (void)place;
    (void)problems;
    if (eval->path_count == eval->path_room) {
        eval->path_room = eval->path_room ? eval->path_room * 2 : 8;
        eval->paths = json_grow(eval->paths, eval->path_room * sizeof *eval->paths);
    }
    eval->paths[eval->path_count] = path;
    *slot = eval->path_count++;
    *rest = "";
    return true;
}

static struct value read_path(void *source, uint32_t slot, struct machine_room *room)
{
    const struct eval *eval = source;
    struct value value = eval->data.root;
    (void)room;
    for (const char *path = eval->paths[slot]; *path;) {
        size_t length = strcspn(path, ".");
        value = value_drill(&value, (struct bytes){(const uint8_t *)path, length});
        path += length + (path[length] == '.');
    }
    return value;
}

/* Text of a view; the machine's texts are not terminated. */
static cJSON *text_node(struct bytes text)
{
    char *copy = json_grow(NULL, text.length + 1);
    if (text.length > 0)
        memcpy(copy, text.data, text.length);
    copy[text.length] = 0;
    cJSON *node = cJSON_CreateString(copy);
    free(copy);
    return node;
}

/* The shortest text that reads back as the same number; cJSON's own writer drops digits beyond the fifteenth. */
static cJSON *number_node(double number)
{
    char text[32];
    if (number == trunc(number) && fabs(number) < NUMBER_PLAIN_MAX) {
        snprintf(text, sizeof text, "%.0f", number + 0.0);
        return cJSON_CreateRaw(strcmp(text, "-0") == 0 ? "0" : text);
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    return cJSON_CreateRaw(isfinite(number) ? text : "null");
}

/* NULL where it has more than `left` nodes: what stands for many values may be small in the machine's room. */
static cJSON *result_node(const struct value *value, size_t *left)
{
    char text[DATE_TIME_ROOM];
    cJSON *node;
    if (*left == 0)
        return NULL;
    --*left;
    switch (value->kind) {
    case VALUE_BOOL:
        return cJSON_CreateBool(value->boolean);
    case VALUE_NUMBER:
        return number_node(value->number);
    case VALUE_TEXT:
        return text_node(value_bytes(value));
    case VALUE_DATE_TIME:
        date_time_write_ms(value->time_ms, text);
        return cJSON_CreateString(text);
    case VALUE_ARRAY:
        node = cJSON_CreateArray();
        for (uint32_t i = 0; i < value->length && node; i++) {
            cJSON *item = result_node(&value->items[i], left);
            if (!item) {
                cJSON_Delete(node);
                return NULL;
            }
            cJSON_AddItemToArray(node, item);
        }
        return node;
    case VALUE_OBJECT:
        node = cJSON_CreateObject();
        for (uint32_t i = 0; i < value->length && node; i++) {
            cJSON *item = result_node(&value->members[i].value, left);
            cJSON *name = item ? text_node(value_bytes(&value->members[i].name)) : NULL;
            if (!name) {
                cJSON_Delete(node);
                return NULL;
            }
            cJSON_AddItemToObject(node, name->valuestring, item);
            cJSON_Delete(name);
        }
        return node;
    default:
        return cJSON_CreateNull();
    }
}

static char *run(struct eval *eval, const struct machine_code *code, char *error, size_t error_size)
{
    struct machine machine = {
        .read = read_path,
        .source = eval,
        .room = {json_grow(NULL, EVAL_ROOM_VALUES * sizeof(struct value)), 0, EVAL_ROOM_VALUES},
        .steps_left = EVAL_STEPS_MAX,
    };
    struct value value;
    struct machine_bounds bounds;
    char *text = NULL;
    const char *wrong = machine_check(code, eval->path_count, 1, &bounds);
    size_t left = RESULT_NODES_MAX;
    if (!wrong && !machine_run(&machine, code, &value))
        wrong = machine.error;
    if (!wrong) {
        cJSON *node = result_node(&value, &left);
        text = node ? cJSON_PrintUnformatted(node) : NULL;
        cJSON_Delete(node);
        if (!text)
            wrong = "result too large";
    }
    if (wrong)
        snprintf(error, error_size, "%s", wrong);
    free(machine.room.values);
    return text;
}

char *certlogic_eval(const cJSON *logic, const cJSON *data, char *error, size_t error_size)
{
    struct json_place root = json_root(logic);
    struct json_problems problems = {0};
    struct certlogic_constants constants = {.shared = false};
    struct certlogic_code code = {0};
    struct eval eval = {0};
    struct certlogic_names names = {add_path, &eval, false};
    char *text = NULL;
    if (certlogic_validate(&root, &problems) && certlogic_compile(&root, &names, &constants, &code, &problems)) {
        eval.data.values = json_grow(NULL, VALUES_PER_NODE * count_nodes(data) * sizeof *eval.data.values);
        eval.data.root = make_value(&eval.data, data);
        text = run(&eval, &(struct machine_code){code.instructions, code.count, constants.values, constants.count},
                   error, error_size);
    } else if (problems.count > 0) {
        snprintf(error, error_size, "%s%s%s", problems.items[0].pointer, problems.items[0].pointer[0] ? ": " : "",
                 problems.items[0].message);
    }
    free(eval.data.values);
    free(eval.paths);
    free(code.instructions);
    certlogic_constants_free(&constants);
    json_problems_free(&problems);
    return text;
}
