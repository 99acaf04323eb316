#include "tests/load/context.h"

#include <stdlib.h>

#include "control/encoding.h"
#include "control/json.h"
#include "keys/number_file.h"
#include "tests/load/random.h"

void context_of_seed(uint64_t seed, uint32_t point, struct point_oscore *out)
{
    struct random random = random_of(seed, 'O', point);
    *out = (struct point_oscore){.alg = POINT_OSCORE_AES_CCM,
                                 .master_secret_size = 16,
                                 .master_salt_size = sizeof out->master_salt,
                                 .point_id_size = sizeof out->point_id,
                                 .appliance_id = {0xca},
                                 .appliance_id_size = 1};
    random_fill(&random, out->master_secret, out->master_secret_size);
    random_fill(&random, out->master_salt, sizeof out->master_salt);
    for (unsigned i = 0; i < sizeof out->point_id; i++)
        out->point_id[i] = (uint8_t)((point + 1) >> (24 - 8 * i));
}

static bool derive(const struct point_oscore *oscore, struct context *out)
{
    *out = (struct context){.kid_size = oscore->point_id_size,
                            .appliance_size = oscore->appliance_id_size,
                            .id_context_size = oscore->id_context_size};
    memcpy(out->kid, oscore->point_id, sizeof out->kid);
    memcpy(out->appliance, oscore->appliance_id, sizeof out->appliance);
    memcpy(out->id_context, oscore->id_context, sizeof out->id_context);
    return oscore_keys_derive(oscore, OSCORE_END_POINT, &out->keys);
}

static bool open_list(uint32_t points, struct contexts *out)
{
    *out = (struct contexts){.list = calloc(points, sizeof *out->list), .count = points};
    return out->list;
}

bool contexts_of_seed(uint64_t seed, uint32_t points, struct contexts *out)
{
    if (!open_list(points, out))
        return false;
    for (uint32_t point = 0; point < points; point++) {
        struct point_oscore oscore;
        context_of_seed(seed, point, &oscore);
        if (!derive(&oscore, &out->list[point]))
            return false;
    }
    return true;
}

static void take_hex(const struct json_place *object, const char *name, bool required, uint8_t *room, size_t room_size,
                     uint8_t *size, struct json_problems *problems)
{
    struct json_place place = json_member(object, name);
    const char *text;
    if ((!place.value && !required) || !json_text(&place, 0, room_size * 2, &text, problems))
        return;
    *size = (uint8_t)(strlen(text) / 2);
    if (!hex_decode(bytes_of_text(text), room, *size) || strlen(text) % 2)
        json_refuse(problems, &place, "hexadecimal bytes are wanted");
}

/* One object of the file. The point's number goes to `number`. */
static bool read_context(const cJSON *json, uint64_t *number, struct context *out, struct json_problems *problems)
{
    static const char *const known[] = {"point",     "alg",          "master_secret", "master_salt",
                                        "sender_id", "recipient_id", "id_context",    NULL};
    struct json_place root = json_root(json), point = json_member(&root, "point"), alg = json_member(&root, "alg");
    struct point_oscore oscore = {0};
    uint64_t algorithm = 0;
    if (!json_known_members(&root, known, problems))
        return false;
    json_uint(&point, 1, UINT32_MAX, number, problems);
    if (json_uint(&alg, 0, UINT32_MAX, &algorithm, problems) && algorithm != POINT_OSCORE_AES_CCM &&
        algorithm != POINT_OSCORE_CHACHA20)
        json_refuse(problems, &alg, "10 or 24 is wanted");
    oscore.alg = (enum point_oscore_alg)algorithm;
    take_hex(&root, "master_secret", true, oscore.master_secret, POINT_MASTER_SECRET_MAX, &oscore.master_secret_size,
             problems);
    take_hex(&root, "master_salt", false, oscore.master_salt, sizeof oscore.master_salt, &oscore.master_salt_size,
             problems);
    take_hex(&root, "sender_id", true, oscore.point_id, sizeof oscore.point_id, &oscore.point_id_size, problems);
    take_hex(&root, "recipient_id", true, oscore.appliance_id, sizeof oscore.appliance_id, &oscore.appliance_id_size,
             problems);
    take_hex(&root, "id_context", false, oscore.id_context, sizeof oscore.id_context, &oscore.id_context_size,
             problems);
    if (problems->refused == 0 && !derive(&oscore, out))
        json_refuse(problems, &root, "no keys can be derived from this");
    oscore_wipe(&oscore, sizeof oscore);
    return problems->refused == 0;
}

/* Takes the next object off the text. Returns 1, 0 at the end, -1 after a line in `error`. */
static int read_next(struct bytes *rest, uint64_t *number, struct context *out, char *error, size_t error_size)
{
    while (rest->length > 0 && strchr(" \t\r\n", rest->data[0]))
        *rest = (struct bytes){rest->data + 1, rest->length - 1};
    if (rest->length == 0)
        return 0;
    const char *end = NULL;
    struct json_problems problems = {0};
    cJSON *found = cJSON_ParseWithLengthOpts((const char *)rest->data, rest->length, &end, false);
    bool good = false;
    if (found) {
        cJSON_Delete(found);
        size_t length = (size_t)((const uint8_t *)end - rest->data);
        cJSON *json = json_parse((struct bytes){rest->data, length}, &problems); /* strictly this time */
        good = json && read_context(json, number, out, &problems);
        cJSON_Delete(json);
        *rest = (struct bytes){rest->data + length, rest->length - length};
    }
    if (!good)
        snprintf(error, error_size, "%s: %s", problems.count ? problems.items[0].pointer : "",
                 problems.count ? problems.items[0].message : "no JSON");
    json_problems_free(&problems);
    return good ? 1 : -1;
}

bool contexts_read(const char *path, uint32_t points, struct contexts *out, char *error, size_t error_size)
{
    struct bytes text;
    char why[JSON_POINTER_MAX + JSON_MESSAGE_MAX + 2];
    if (!json_read_file(path, &text, error, error_size))
        return false;
    snprintf(error, error_size, "no memory for %u security contexts", points);
    int found = open_list(points, out) ? 1 : -2;
    struct bytes rest = text;
    for (uint64_t object = 1; found == 1; object++) {
        struct context context;
        uint64_t number = 0;
        found = read_next(&rest, &number, &context, why, sizeof why);
        if (found == -1 || (found == 1 && number <= points && out->list[number - 1].keys.key_size)) {
            snprintf(error, error_size, "%s, context %lu%s", path, object,
                     found == -1 ? why : ": its point has one already");
            found = -2;
        }
        if (found == 1 && number <= points)
            out->list[number - 1] = context;
        oscore_wipe(&context, sizeof context);
    }
    for (uint32_t i = 0; i < points && found == 0; i++)
        if (out->list[i].keys.key_size == 0) {
            snprintf(error, error_size, "%s: no context of point %u; the profile has %u points", path, i + 1, points);
            found = -2;
        }
    oscore_wipe((void *)(uintptr_t)text.data, text.length);
    free((void *)(uintptr_t)text.data);
    snprintf(out->sequence_path, sizeof out->sequence_path, "%s.sequence", path);
    if (found != 0)
        contexts_free(out);
    return found == 0;
}

static void put_hex(FILE *out, const char *name, const uint8_t *data, size_t size)
{
    fprintf(out, ", \"%s\": \"", name);
    for (size_t i = 0; i < size; i++)
        fprintf(out, "%02x", data[i]);
    fputc('"', out);
}

void context_write(const struct point_oscore *oscore, uint32_t number, FILE *out)
{
    fprintf(out, "{\"point\": %u, \"alg\": %d", number, (int)oscore->alg);
    put_hex(out, "master_secret", oscore->master_secret, oscore->master_secret_size);
    put_hex(out, "master_salt", oscore->master_salt, oscore->master_salt_size);
    put_hex(out, "sender_id", oscore->point_id, oscore->point_id_size);
    put_hex(out, "recipient_id", oscore->appliance_id, oscore->appliance_id_size);
    fputs("}\n", out);
}

bool contexts_take(struct contexts *contexts, uint64_t count, uint64_t *first)
{
    if (contexts->sequence_path[0])
        return number_file_take(contexts->sequence_path, count, OSCORE_SEQUENCE_LIMIT, first);
    if (count > OSCORE_SEQUENCE_LIMIT - contexts->next)
        return false;
    *first = contexts->next;
    contexts->next += count;
    return true;
}

void contexts_free(struct contexts *contexts)
{
    if (contexts->list)
        oscore_wipe(contexts->list, contexts->count * sizeof *contexts->list);
    free(contexts->list);
    *contexts = (struct contexts){0};
}
