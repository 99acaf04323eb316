#include "control/keys_json.h"

#include <stdlib.h>

#include "control/document.h"
#include "control/encoding.h"

#define REGION_MAX 999999
#define CLASSES_ALL ((1u << CLASS_COUNT) - 1)

const char *const key_use_names[] = {"credential", "status", "rules", NULL};
static const char *const classes[] = {"dynamic", "printed", "delegated", "enterprise", "venue-pass", NULL};
static const char *const types[] = {"OKP", NULL};
static const char *const curves[] = {"Ed25519", NULL};
static const char *const algorithms[] = {"EdDSA", "Ed25519", NULL};

/* `use` as an import has it: RFC 7517's "sig" tells no more than that the key signs, which the default is for. */
#define USE_SIGNATURE 3
static const char *const import_uses[] = {"credential", "status", "rules", "sig", NULL};

/* Members of a key that are read; then those of RFC 7517 and of Web Crypto that say nothing here. */
static const char *const read_members[] = {"kty", "crv", "x",   "kid",     "use",     "key_ops", "alg",
                                           "iss", "nbf", "exp", "regions", "classes", "retired", NULL};
static const char *const silent_members[] = {"ext", "x5u", "x5c", "x5t", "x5t#S256", NULL};
static const char *const set_members[] = {"keys", NULL}, *const no_members[] = {NULL};

/* RFC 7518 section 6 and RFC 8037: the members that hold secrets, of whatever key type. */
static const char *const private_members[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};

static void refuse_private(const struct json_place *jwk, struct json_problems *problems)
{
    for (unsigned i = 0; i < sizeof private_members / sizeof private_members[0]; i++) {
        struct json_place member = json_member(jwk, private_members[i]);
        if (member.value)
            json_refuse(problems, &member, "private key material does not belong here: import the public key only");
    }
}

static bool is_one_of(const char *name, const char *const names[])
{
    while (*names && strcmp(*names, name) != 0)
        names++;
    return *names;
}

/* RFC 7517 sections 4 and 5: members that are not understood are ignored. Each is told of, since it may be one of ours
 * misspelt, which would have narrowed the key. */
static void ignore_members(const struct json_place *object, const char *const known[], const char *const silent[],
                           struct json_problems *problems)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, object->value)
    {
        struct json_place member = json_member(object, item->string);
        if (!is_one_of(item->string, known) && !is_one_of(item->string, silent))
            json_warn(problems, &member, "unknown member, ignored");
    }
}

/* RFC 7517 section 4.3: where the operations are named, verifying must be one. */
static void check_operations(const struct json_place *operations, struct json_problems *problems)
{
    if (!operations->value || !json_is_array(operations, problems))
        return;
    const cJSON *item;
    cJSON_ArrayForEach(item,
                       operations->value) if (cJSON_IsString(item) && strcmp(item->valuestring, "verify") == 0) return;
    json_refuse(problems, operations, "\"verify\" is not among the operations that the key is meant for");
}

static void refuse_retired(const struct json_place *retired, struct json_problems *problems)
{
    bool is_retired = true;
    if (retired->value && json_bool(retired, &is_retired, problems) && is_retired)
        json_refuse(problems, retired, "the key is retired");
}

static bool take_base64url(const struct json_place *place, uint8_t *room, size_t size, struct json_problems *problems)
{
    const char *text;
    if (!json_text(place, 1, 128, &text, problems))
        return false;
    if (base64url_decode(bytes_of_text(text), room, size))
        return true;
    json_refuse(problems, place, "base64url of %zu bytes without padding is wanted", size);
    return false;
}

static bool take_kid(const struct json_place *place, uint8_t kid[COSE_KID_SIZE], struct json_problems *problems)
{
    const char *text;
    if (!json_text(place, 1, 128, &text, problems))
        return false;
    if (hex_decode(bytes_of_text(text), kid, COSE_KID_SIZE))
        return true;
    json_refuse(problems, place, "%d hexadecimal digits are wanted", 2 * COSE_KID_SIZE);
    return false;
}

/* kty, crv, alg and x, which public and private keys share. */
static void take_curve(const struct json_place *jwk, uint8_t public_key[32], struct json_problems *problems)
{
    unsigned ignored;
    struct json_place kty = json_member(jwk, "kty"), crv = json_member(jwk, "crv"), alg = json_member(jwk, "alg");
    struct json_place x = json_member(jwk, "x");
    json_choice(&kty, types, &ignored, problems);
    json_choice(&crv, curves, &ignored, problems);
    if (alg.value)
        json_choice(&alg, algorithms, &ignored, problems);
    take_base64url(&x, public_key, 32, problems);
}

static void take_regions(const struct json_place *regions, struct issuer_key *key, struct json_problems *problems)
{
    if (!regions->value || !json_is_array(regions, problems))
        return;
    size_t index = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, regions->value)
    {
        struct json_place place = json_item(regions, item, index++);
        uint64_t region = 0;
        if (index > ISSUER_REGIONS_MAX) {
            json_refuse(problems, regions, "more than %d regions", ISSUER_REGIONS_MAX);
            return;
        }
        if (json_uint(&place, 1, REGION_MAX, &region, problems))
            key->regions[key->region_count++] = (uint32_t)region;
    }
    if (index == 0)
        json_refuse(problems, regions, "at least one region; leave it out for every region");
}

static void take_classes(const struct json_place *list, struct issuer_key *key, struct json_problems *problems)
{
    key->classes = key->use == KEY_USE_CREDENTIAL ? CLASSES_ALL : 0;
    if (!list->value || !json_is_array(list, problems))
        return;
    if (key->use != KEY_USE_CREDENTIAL) {
        json_refuse(problems, list, "only a credential key has classes");
        return;
    }
    key->classes = 0;
    size_t index = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, list->value)
    {
        struct json_place place = json_item(list, item, index++);
        unsigned class = 0;
        if (json_choice(&place, classes, &class, problems)) {
            if (key->classes >> class & 1)
                json_refuse(problems, &place, "class named twice");
            key->classes |= 1u << class;
        }
    }
    if (index == 0)
        json_refuse(problems, list, "at least one class; leave it out for every class");
}

static void take_key(const struct json_place *jwk, struct issuer_key *key, struct json_problems *problems)
{
    memset(key, 0, sizeof *key);
    if (!json_is_object(jwk, problems))
        return;
    refuse_private(jwk, problems);
    ignore_members(jwk, read_members, silent_members, problems);
    struct json_place operations = json_member(jwk, "key_ops"), retired = json_member(jwk, "retired");
    check_operations(&operations, problems);
    refuse_retired(&retired, problems);
    take_curve(jwk, key->public_key, problems);
    struct json_place kid = json_member(jwk, "kid"), iss = json_member(jwk, "iss"), use = json_member(jwk, "use");
    struct json_place nbf = json_member(jwk, "nbf"), exp = json_member(jwk, "exp");
    struct json_place regions = json_member(jwk, "regions"), list = json_member(jwk, "classes");
    take_kid(&kid, key->kid, problems);
    json_copy_text(&iss, key->issuer, sizeof key->issuer, problems);
    if (iss.value && !key->issuer[0])
        json_refuse(problems, &iss, "the issuer's name is wanted");
    unsigned chosen = KEY_USE_CREDENTIAL;
    if (use.value)
        json_choice(&use, import_uses, &chosen, problems);
    key->use = chosen == USE_SIGNATURE ? KEY_USE_CREDENTIAL : (enum key_use)chosen;
    key->not_after_s = JSON_INTEGER_MAX;
    if (nbf.value)
        json_uint(&nbf, 0, JSON_INTEGER_MAX, &key->not_before_s, problems);
    if (exp.value)
        json_uint(&exp, 0, JSON_INTEGER_MAX, &key->not_after_s, problems);
    if (key->not_after_s <= key->not_before_s)
        json_refuse(problems, exp.value ? &exp : &nbf, "the key is never valid: exp is not after nbf");
    take_regions(&regions, key, problems);
    take_classes(&list, key, problems);
}

static void refuse_second_kid(const struct json_place *jwk, const struct jwks *jwks, struct json_problems *problems)
{
    const struct issuer_key *last = &jwks->keys[jwks->count - 1];
    for (const struct issuer_key *key = jwks->keys; key < last; key++)
        if (memcmp(key->kid, last->kid, COSE_KID_SIZE) == 0) {
            struct json_place kid = json_member(jwk, "kid");
            json_refuse(problems, &kid, "kid named twice");
        }
}

/* RFC 7517 section 5: of a set, keys of a type that is not understood are left aside. */
static bool other_type(const struct json_place *jwk, struct json_problems *problems)
{
    const char *kty = cJSON_GetStringValue(json_member(jwk, "kty").value);
    const char *crv = cJSON_GetStringValue(json_member(jwk, "crv").value);
    const char *kid = cJSON_GetStringValue(json_member(jwk, "kid").value);
    if (!kty || (strcmp(kty, types[0]) == 0 && (!crv || strcmp(crv, curves[0]) == 0)))
        return false;
    refuse_private(jwk, problems);
    json_warn(problems, jwk, "key %s left out: %s %s is not OKP Ed25519", kid ? kid : "without kid", kty,
              crv ? crv : "");
    return true;
}

static void take_keys(const struct json_place *keys, struct jwks *out, struct json_problems *problems)
{
    if (!json_is_array(keys, problems))
        return;
    int count = cJSON_GetArraySize(keys->value);
    if (count < 1 || count > JWKS_KEYS_MAX) {
        json_refuse(problems, keys, "1 to %d keys are wanted", JWKS_KEYS_MAX);
        return;
    }
    out->keys = calloc((size_t)count, sizeof *out->keys);
    if (!out->keys) {
        json_refuse(problems, keys, "out of memory");
        return;
    }
    const cJSON *item;
    size_t index = 0;
    cJSON_ArrayForEach(item, keys->value)
    {
        struct json_place place = json_item(keys, item, index++);
        if (other_type(&place, problems))
            continue;
        take_key(&place, &out->keys[out->count++], problems);
        if (problems->refused == 0)
            refuse_second_kid(&place, out, problems);
    }
    if (out->count == 0)
        json_refuse(problems, keys, "no key of OKP, Ed25519");
}

bool jwks_read(const struct json_place *document, struct jwks *out, struct json_problems *problems)
{
    *out = (struct jwks){NULL, 0};
    size_t before = problems->refused;
    struct json_place keys = json_member(document, "keys");
    if (keys.value) {
        ignore_members(document, set_members, no_members, problems);
        take_keys(&keys, out, problems);
    } else {
        out->keys = calloc(1, sizeof *out->keys);
        if (out->keys)
            take_key(document, &out->keys[out->count++], problems);
        else
            json_refuse(problems, document, "out of memory");
    }
    if (problems->refused == before)
        return true;
    jwks_free(out);
    return false;
}

void jwks_free(struct jwks *jwks)
{
    free(jwks->keys);
    *jwks = (struct jwks){NULL, 0};
}

static void add_base64url(cJSON *object, const char *name, struct bytes value)
{
    char text[BASE64URL_SIZE(32) + 1];
    base64url_encode(value, text);
    cJSON_AddStringToObject(object, name, text);
}

static cJSON *curve_json(const uint8_t public_key[32], const uint8_t kid[COSE_KID_SIZE])
{
    char text[2 * COSE_KID_SIZE + 1];
    cJSON *jwk = cJSON_CreateObject();
    cJSON_AddStringToObject(jwk, "kty", types[0]);
    cJSON_AddStringToObject(jwk, "crv", curves[0]);
    add_base64url(jwk, "x", (struct bytes){public_key, 32});
    hex_encode((struct bytes){kid, COSE_KID_SIZE}, text);
    cJSON_AddStringToObject(jwk, "kid", text);
    return jwk;
}

cJSON *issuer_key_json(const struct issuer_key *key)
{
    cJSON *jwk = curve_json(key->public_key, key->kid);
    cJSON_AddStringToObject(jwk, "use", key_use_names[key->use]);
    cJSON_AddStringToObject(jwk, "iss", key->issuer);
    cJSON_AddNumberToObject(jwk, "nbf", (double)key->not_before_s);
    if (key->not_after_s < JSON_INTEGER_MAX)
        cJSON_AddNumberToObject(jwk, "exp", (double)key->not_after_s);
    if (key->region_count > 0) {
        cJSON *regions = cJSON_AddArrayToObject(jwk, "regions");
        for (uint32_t i = 0; i < key->region_count; i++)
            cJSON_AddItemToArray(regions, cJSON_CreateNumber(key->regions[i]));
    }
    if (key->use == KEY_USE_CREDENTIAL) {
        cJSON *list = cJSON_AddArrayToObject(jwk, "classes");
        for (unsigned i = 0; i < CLASS_COUNT; i++)
            if (key->classes >> i & 1)
                cJSON_AddItemToArray(list, cJSON_CreateString(classes[i]));
    }
    if (key->retired)
        cJSON_AddTrueToObject(jwk, "retired");
    return jwk;
}

bool signing_key_read(const struct json_place *document, struct signing_key *out,
                      char issuer[CREDENTIAL_ISSUER_MAX + 1], struct json_problems *problems)
{
    static const char *const known[] = {"kty", "crv", "x", "kid", "use", "alg", "iss", "d", NULL};
    uint8_t seed[SIGNING_SEED_SIZE], public_key[32], kid[COSE_KID_SIZE];
    size_t before = problems->refused;
    issuer[0] = '\0';
    if (!json_is_object(document, problems))
        return false;
    json_known_members(document, known, problems);
    take_curve(document, public_key, problems);
    struct json_place d = json_member(document, "d"), key_id = json_member(document, "kid");
    struct json_place iss = json_member(document, "iss");
    take_base64url(&d, seed, sizeof seed, problems);
    take_kid(&key_id, kid, problems);
    if (iss.value)
        json_copy_text(&iss, issuer, CREDENTIAL_ISSUER_MAX + 1, problems);
    if (problems->refused == before && !signing_key_from_seed(seed, out))
        json_refuse(problems, document, "libsodium does not start");
    secret_wipe(seed, sizeof seed);
    if (problems->refused != before)
        return false;
    if (memcmp(out->public_key, public_key, sizeof public_key) != 0) {
        signing_key_wipe(out);
        json_refuse(problems, &d, "is not the private key of x");
        return false;
    }
    memcpy(out->kid, kid, sizeof kid);
    return true;
}

cJSON *signing_key_json(const struct signing_key *key, enum key_use use, const char *issuer, bool with_private)
{
    cJSON *jwk = curve_json(key->public_key, key->kid);
    cJSON_AddStringToObject(jwk, "use", key_use_names[use]);
    if (issuer[0])
        cJSON_AddStringToObject(jwk, "iss", issuer);
    if (with_private)
        add_base64url(jwk, "d", (struct bytes){key->seed, sizeof key->seed});
    return jwk;
}

bool signing_key_load(const char *path, struct signing_key *out, char issuer[CREDENTIAL_ISSUER_MAX + 1])
{
    cJSON *tree = document_load(path);
    if (!tree)
        return false;
    struct json_problems problems = {0};
    struct json_place document = json_root(tree);
    bool ok = signing_key_read(&document, out, issuer, &problems);
    cJSON_Delete(tree);
    document_report(path, &problems);
    return ok;
}
