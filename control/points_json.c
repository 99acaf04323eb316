#include "control/points_json.h"

#include "control/address.h"
#include "control/encoding.h"
#include "keys/signing_key.h"

#define REGION_MAX 999999
#define RATE_MAX 1000000
#define PRIORITY_MAX 3
#define PRIORITY_DEFAULT 1

static const char *const modes[] = {"enforce", "advisory", "not-required", NULL};
static const char *const algorithms[] = {"AES-CCM-16-64-128", "ChaCha20/Poly1305", NULL};
static const enum point_oscore_alg algorithm_numbers[] = {POINT_OSCORE_AES_CCM, POINT_OSCORE_CHACHA20};

static void take_text(const struct json_place *object, const char *name, bool required, char *room, size_t size,
                      struct json_problems *problems)
{
    struct json_place place = json_member(object, name);
    if (!place.value && !required)
        return;
    if (json_copy_text(&place, room, size, problems) && required && !room[0])
        json_refuse(problems, &place, "is empty");
}

static uint32_t take_number(const struct json_place *object, const char *name, uint64_t most,
                            struct json_problems *problems)
{
    struct json_place place = json_member(object, name);
    uint64_t number = 0;
    if (place.value)
        json_uint(&place, 0, most, &number, problems);
    return (uint32_t)number;
}

/* `least` to `most` bytes in hexadecimal; `size` stays as it is where the member is absent. */
static void take_hex(const struct json_place *object, const char *name, size_t least, size_t most, uint8_t *room,
                     uint8_t *size, struct json_problems *problems)
{
    struct json_place place = json_member(object, name);
    const char *text;
    if (!place.value || !json_text(&place, least * 2, most * 2, &text, problems))
        return;
    if (hex_decode(bytes_of_text(text), room, strlen(text) / 2))
        *size = (uint8_t)(strlen(text) / 2);
    else
        json_refuse(problems, &place, "%zu to %zu bytes in hexadecimal are wanted", least, most);
}

void point_rotate(struct point *point)
{
    struct point_oscore *oscore = &point->oscore;
    oscore->master_secret_size = 16;
    random_bytes(oscore->master_secret, oscore->master_secret_size);
    oscore->master_salt_size = sizeof oscore->master_salt;
    random_bytes(oscore->master_salt, sizeof oscore->master_salt);
}

/* What the appliance makes up: random secrets; ids from the point's number, so that no two points share one. The
 * appliance's id differs from every point's by its length. */
static void make_oscore(struct point *point)
{
    struct point_oscore *oscore = &point->oscore;
    point_rotate(point);
    oscore->point_id_size = sizeof oscore->point_id;
    for (unsigned i = 0; i < sizeof oscore->point_id; i++)
        oscore->point_id[i] = (uint8_t)(point->id >> (24 - 8 * i));
    oscore->appliance_id[0] = 0xca;
    oscore->appliance_id_size = 1;
}

static void take_oscore(const struct json_place *object, struct point *point, struct json_problems *problems)
{
    static const char *const known[] = {"alg",      "master_secret", "master_salt", "id_context",
                                        "point_id", "appliance_id",  NULL};
    struct point_oscore *oscore = &point->oscore;
    unsigned chosen = 0;
    if (!json_is_object(object, problems))
        return;
    json_known_members(object, known, problems);
    make_oscore(point);
    struct json_place alg = json_member(object, "alg");
    if (alg.value)
        json_choice(&alg, algorithms, &chosen, problems);
    oscore->alg = algorithm_numbers[chosen];
    take_hex(object, "master_secret", 16, POINT_MASTER_SECRET_MAX, oscore->master_secret, &oscore->master_secret_size,
             problems);
    take_hex(object, "master_salt", 0, sizeof oscore->master_salt, oscore->master_salt, &oscore->master_salt_size,
             problems);
    take_hex(object, "id_context", 0, sizeof oscore->id_context, oscore->id_context, &oscore->id_context_size,
             problems);
    take_hex(object, "point_id", 0, sizeof oscore->point_id, oscore->point_id, &oscore->point_id_size, problems);
    take_hex(object, "appliance_id", 0, sizeof oscore->appliance_id, oscore->appliance_id, &oscore->appliance_id_size,
             problems);
    if (oscore->point_id_size == oscore->appliance_id_size &&
        memcmp(oscore->point_id, oscore->appliance_id, oscore->point_id_size) == 0) {
        struct json_place place = json_member(object, "point_id");
        json_refuse(problems, &place, "is the appliance's id too: both would use the same nonces");
    }
}

bool point_read(const struct json_place *document, struct point *out, struct json_problems *problems)
{
    static const char *const known[] = {"id",    "venue",    "class", "mode",  "address", "district", "zone",
                                        "group", "priority", "rate",  "burst", "oscore",  NULL};
    size_t before = problems->refused;
    memset(out, 0, sizeof *out);
    if (!json_is_object(document, problems))
        return false;
    json_known_members(document, known, problems);
    struct json_place id = json_member(document, "id"), mode = json_member(document, "mode");
    struct json_place address = json_member(document, "address"), oscore = json_member(document, "oscore");
    struct json_place priority = json_member(document, "priority");
    uint64_t number = 0;
    json_uint(&id, 1, UINT32_MAX, &number, problems);
    out->id = (uint32_t)number;
    take_text(document, "venue", true, out->venue, sizeof out->venue, problems);
    take_text(document, "class", true, out->venue_class, sizeof out->venue_class, problems);
    take_text(document, "group", false, out->group, sizeof out->group, problems);
    out->district = take_number(document, "district", REGION_MAX, problems);
    out->zone = take_number(document, "zone", UINT32_MAX, problems);
    out->rate_per_s = take_number(document, "rate", RATE_MAX, problems);
    out->burst = take_number(document, "burst", RATE_MAX, problems);
    out->priority = PRIORITY_DEFAULT;
    if (priority.value)
        out->priority = (uint8_t)take_number(document, "priority", PRIORITY_MAX, problems);
    unsigned chosen = POINT_MODE_ENFORCE;
    if (mode.value)
        json_choice(&mode, modes, &chosen, problems);
    out->mode = (enum point_mode)chosen;
    const char *text;
    if (address.value && json_text(&address, 1, ADDRESS_TEXT_SIZE, &text, problems) &&
        !address_from_text(text, &out->address_family, out->address))
        json_refuse(problems, &address, "an IP address is wanted");
    if (oscore.value)
        take_oscore(&oscore, out, problems);
    return problems->refused == before;
}

static void add_hex(cJSON *object, const char *name, const uint8_t *value, size_t size)
{
    char text[2 * POINT_MASTER_SECRET_MAX + 1];
    hex_encode((struct bytes){value, size}, text);
    cJSON_AddStringToObject(object, name, text);
}

static cJSON *oscore_json(const struct point_oscore *oscore)
{
    cJSON *out = cJSON_CreateObject();
    cJSON_AddStringToObject(out, "alg", algorithms[oscore->alg == POINT_OSCORE_CHACHA20]);
    add_hex(out, "point_id", oscore->point_id, oscore->point_id_size);
    add_hex(out, "appliance_id", oscore->appliance_id, oscore->appliance_id_size);
    if (oscore->id_context_size > 0)
        add_hex(out, "id_context", oscore->id_context, oscore->id_context_size);
    return out;
}

static void add_number(cJSON *object, const char *name, uint32_t number)
{
    if (number > 0)
        cJSON_AddNumberToObject(object, name, number);
}

cJSON *point_json(const struct point *point)
{
    cJSON *out = cJSON_CreateObject();
    cJSON_AddNumberToObject(out, "id", point->id);
    cJSON_AddStringToObject(out, "venue", point->venue);
    cJSON_AddStringToObject(out, "class", point->venue_class);
    cJSON_AddStringToObject(out, "mode", point_mode_name(point->mode));
    if (point->address_family) {
        char text[ADDRESS_TEXT_SIZE];
        address_to_text(point->address_family, point->address, text);
        cJSON_AddStringToObject(out, "address", text);
    }
    if (point->group[0])
        cJSON_AddStringToObject(out, "group", point->group);
    add_number(out, "district", point->district);
    add_number(out, "zone", point->zone);
    cJSON_AddNumberToObject(out, "priority", point->priority);
    add_number(out, "rate", point->rate_per_s);
    add_number(out, "burst", point->burst);
    if (point->oscore.alg != POINT_OSCORE_NONE)
        cJSON_AddItemToObject(out, "oscore", oscore_json(&point->oscore));
    return out;
}

cJSON *point_secrets_json(const struct point *point)
{
    const struct point_oscore *oscore = &point->oscore;
    cJSON *out = cJSON_CreateObject();
    cJSON_AddNumberToObject(out, "point", point->id);
    cJSON_AddNumberToObject(out, "alg", oscore->alg);
    add_hex(out, "master_secret", oscore->master_secret, oscore->master_secret_size);
    add_hex(out, "master_salt", oscore->master_salt, oscore->master_salt_size);
    add_hex(out, "sender_id", oscore->point_id, oscore->point_id_size);
    add_hex(out, "recipient_id", oscore->appliance_id, oscore->appliance_id_size);
    if (oscore->id_context_size > 0)
        add_hex(out, "id_context", oscore->id_context, oscore->id_context_size);
    return out;
}
