/* `chengmen issue`: the reference issuer. Works without a daemon and lets through what a real issuer must not make, so
 * that refusals can be tested. */
#include <stdlib.h>

#include "control/cli/claims.h"
#include "control/cli/cli.h"
#include "control/cli/commands.h"
#include "control/cli/qr.h"
#include "control/encoding.h"
#include "control/keys_json.h"
#include "control/times.h"
#include "dataplane/clock.h"
#include "keys/base45.h"
#include "keys/credential.h"

#define ENTERPRISE_LIFE_S (365 * 86400u)
#define TEXT_ROOM (sizeof BASE45_PREFIX + BASE45_ENCODED_SIZE(CREDENTIAL_SIZE_MAX))

struct issue_options {
    const char *key, *class, *issuer, *subject, *region, *colour, *iat, *exp, *life, *nbf, *status_uri, *status_index;
    const char *proofing, *delegate, *photo, *venue, *arrival, *occupation, *cti, *kid, *cbor, *qr;
    struct cli_list roles, claims;
    bool needs_id, json;
};

/* The bytes that the claims' views point to. */
struct issue_room {
    uint8_t subject[SUBJECT_SIZE], cti[CTI_SIZE], delegate[8], photo[32], roles[CREDENTIAL_ROLES_MAX * 68 + 1];
    char issuer[CREDENTIAL_ISSUER_MAX + 1];
    uint8_t edits[CREDENTIAL_SIZE_MAX];
};

static uint64_t want_uint(const char *option, const char *text)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end)
        cli_usage_error("--%s: a whole number is wanted, not \"%s\"", option, text);
    return value;
}

static uint64_t want_time(const char *option, const char *text, uint64_t now_s)
{
    uint64_t value;
    if (!time_from_text(text, now_s, &value))
        cli_usage_error("--%s: a time is wanted (seconds since 1970, +N or -N from now, a date-time), not \"%s\"",
                        option, text);
    return value;
}

/* Hexadecimal bytes of exactly that size; "random" or an absent option makes some up. */
static const uint8_t *want_bytes(const char *option, const char *text, uint8_t *room, size_t size)
{
    if (!text || strcmp(text, "random") == 0)
        random_bytes(room, size);
    else if (!hex_decode(bytes_of_text(text), room, size))
        cli_usage_error("--%s: %zu hexadecimal digits are wanted", option, size * 2);
    return room;
}

static struct bytes want_text(const char *option, const char *text, size_t size_max)
{
    if (!text)
        return (struct bytes){NULL, 0};
    if (strlen(text) > size_max)
        cli_usage_error("--%s: longer than %zu bytes", option, size_max);
    return bytes_of_text(text);
}

static enum credential_class want_class(const char *text)
{
    for (int i = 0; i < CLASS_COUNT; i++)
        if (strcmp(credential_class_name((enum credential_class)i), text) == 0)
            return (enum credential_class)i;
    cli_usage_error("--class: dynamic, printed, delegated, enterprise or venue-pass, not \"%s\"", text);
}

static enum colour want_colour(const char *text)
{
    for (int i = COLOUR_GREEN; i <= COLOUR_UNKNOWN; i++)
        if (strcmp(colour_name((enum colour)i), text) == 0)
            return (enum colour)i;
    cli_usage_error("--colour: green, yellow, red or unknown (none in the credential), not \"%s\"", text);
}

static void set_times(const struct issue_options *o, struct credential *c)
{
    uint64_t now_s = clock_wall_s();
    uint64_t life_s = c->class == CLASS_ENTERPRISE ? ENTERPRISE_LIFE_S : credential_life_max_s(c->class);
    c->iat_s = o->iat ? want_time("iat", o->iat, now_s) : now_s;
    if (o->life)
        life_s = want_uint("life", o->life);
    c->exp_s = o->exp ? want_time("exp", o->exp, now_s) : c->iat_s + life_s;
    c->nbf_s = o->nbf ? want_time("nbf", o->nbf, now_s) : 0;
}

/* The region is the issuer's own where none is given: CN-310000 is 310000. */
static void set_region(const struct issue_options *o, struct credential *c)
{
    const char *text = o->region;
    if (!text && c->issuer.length == 9 && memcmp(c->issuer.data, "CN-", 3) == 0)
        text = (const char *)c->issuer.data + 3;
    if (!text || strcmp(text, "none") == 0)
        return;
    c->region = (uint32_t)want_uint("region", text);
    c->has_region = true;
}

static void set_roles(const struct issue_options *o, struct issue_room *room, struct credential *c)
{
    if (o->roles.count == 0)
        return;
    if (o->roles.count > CREDENTIAL_ROLES_MAX)
        cli_usage_error("--role: given more than %d times", CREDENTIAL_ROLES_MAX);
    struct cbor_writer out = cbor_write(room->roles, sizeof room->roles);
    cbor_put_array(&out, o->roles.count);
    for (unsigned i = 0; i < o->roles.count; i++)
        cbor_put_text(&out, want_text("role", o->roles.items[i], CREDENTIAL_TEXT_MAX));
    c->roles = cbor_written(&out);
}

static void set_city_claims(const struct issue_options *o, struct issue_room *room, struct credential *c)
{
    bool dynamic = c->class == CLASS_DYNAMIC || c->class == CLASS_DELEGATED;
    if (dynamic || o->cti)
        c->cti = want_bytes("cti", o->cti, room->cti, CTI_SIZE);
    if (c->class == CLASS_DELEGATED || o->delegate)
        c->delegate = want_bytes("delegate", o->delegate, room->delegate, sizeof room->delegate);
    bool coloured = c->class != CLASS_PRINTED && c->class != CLASS_VENUE_PASS;
    c->colour = o->colour ? want_colour(o->colour) : coloured ? COLOUR_GREEN : COLOUR_UNKNOWN;
    c->venue = want_text("venue",
                         o->venue                       ? o->venue
                         : c->class == CLASS_VENUE_PASS ? "venue"
                                                        : NULL,
                         CREDENTIAL_TEXT_MAX);
    c->occupation = want_text("occupation", o->occupation, CREDENTIAL_TEXT_MAX);
    if (o->photo) {
        size_t size = strlen(o->photo) / 2;
        if (size > sizeof room->photo)
            cli_usage_error("--photo: a digest of at most %zu bytes is wanted", sizeof room->photo);
        c->photo_digest = (struct bytes){want_bytes("photo", o->photo, room->photo, size), size};
    }
    if (o->proofing) {
        c->proofing = (uint32_t)want_uint("proofing", o->proofing);
        c->has_proofing = true;
    }
    c->needs_id = c->has_needs_id = o->needs_id;
    if (o->arrival && !(c->has_arrival = day_from_text(o->arrival, &c->arrival_day)))
        cli_usage_error("--arrival: a date (2020-03-01) or days since 1970, not \"%s\"", o->arrival);
    set_roles(o, room, c);
}

static struct credential claims_from_options(const struct issue_options *o, const char *key_issuer,
                                             struct issue_room *room)
{
    struct credential c = {.class = want_class(o->class ? o->class : "dynamic")};
    c.issuer = want_text("issuer",
                         o->issuer       ? o->issuer
                         : key_issuer[0] ? key_issuer
                                         : "CN-310000",
                         CREDENTIAL_ISSUER_MAX);
    c.subject = want_bytes("subject", o->subject, room->subject, SUBJECT_SIZE);
    set_times(o, &c);
    set_region(o, &c);
    if (o->status_index && !o->status_uri)
        cli_usage_error("--status-index needs --status-uri");
    c.status_uri = want_text("status-uri", o->status_uri, CREDENTIAL_URI_MAX);
    c.status_index = o->status_index ? want_uint("status-index", o->status_index) : 0;
    set_city_claims(o, room, &c);
    return c;
}

/* The payload, with the changes that --claim asks for. */
static size_t make_payload(const struct issue_options *o, const struct credential *claims, struct issue_room *room,
                           uint8_t *payload, size_t size)
{
    uint8_t plain[CREDENTIAL_SIZE_MAX];
    size_t length = credential_claims_write(claims, plain, sizeof plain);
    struct claim_edit edits[CLAIM_EDITS_MAX];
    size_t used = 0;
    for (unsigned i = 0; i < o->claims.count; i++) {
        if (!claim_edit_from_text(o->claims.items[i], room->edits + used, sizeof room->edits - used, &edits[i]))
            cli_usage_error("--claim: LABEL=HEX or city.LABEL=HEX is wanted, not \"%s\"", o->claims.items[i]);
        used += edits[i].value.length;
    }
    return length == 0 ? 0 : claims_edit((struct bytes){plain, length}, edits, o->claims.count, payload, size);
}

static void print_json(const struct credential *c, const uint8_t kid[COSE_KID_SIZE], struct bytes cose,
                       const char *text)
{
    char hex[2 * CREDENTIAL_SIZE_MAX + 1];
    cJSON *out = cJSON_CreateObject();
    cJSON_AddStringToObject(out, "text", text);
    hex_encode(cose, hex);
    cJSON_AddStringToObject(out, "cose", hex);
    hex_encode((struct bytes){kid, COSE_KID_SIZE}, hex);
    cJSON_AddStringToObject(out, "kid", hex);
    cJSON_AddStringToObject(out, "class", credential_class_name(c->class));
    snprintf(hex, sizeof hex, "%.*s", (int)c->issuer.length, (const char *)c->issuer.data);
    cJSON_AddStringToObject(out, "issuer", hex);
    hex_encode((struct bytes){c->subject, SUBJECT_SIZE}, hex);
    cJSON_AddStringToObject(out, "subject", hex);
    if (c->cti) {
        hex_encode((struct bytes){c->cti, CTI_SIZE}, hex);
        cJSON_AddStringToObject(out, "cti", hex);
    }
    cJSON_AddNumberToObject(out, "iat", (double)c->iat_s);
    cJSON_AddNumberToObject(out, "exp", (double)c->exp_s);
    char *printed = cJSON_PrintUnformatted(out);
    puts(printed);
    cJSON_free(printed);
    cJSON_Delete(out);
}

static int print_credential(const struct issue_options *o, const struct credential *c, const uint8_t kid[COSE_KID_SIZE],
                            struct bytes cose)
{
    char text[TEXT_ROOM] = BASE45_PREFIX;
    size_t prefix = strlen(BASE45_PREFIX);
    text[prefix + base45_encode(cose, text + prefix, sizeof text - prefix - 1)] = '\0';
    if (o->cbor && strcmp(o->cbor, "-") == 0)
        return fwrite(cose.data, 1, cose.length, stdout) == cose.length ? CLI_OK : CLI_REFUSED;
    if (o->cbor && !cli_write_file(o->cbor, cose, 0644))
        return CLI_REFUSED;
    bool terminal = o->qr && strcmp(o->qr, "terminal") == 0;
    if (o->qr && !(terminal ? qr_print(text) : qr_write_png(text, o->qr)))
        return CLI_REFUSED;
    if (o->json)
        print_json(c, kid, cose, text);
    else
        puts(text);
    return CLI_OK;
}

static int issue(const struct issue_options *o)
{
    struct signing_key key;
    struct issue_room room;
    char key_issuer[CREDENTIAL_ISSUER_MAX + 1];
    if (!signing_key_load(o->key, &key, key_issuer))
        return CLI_REFUSED;
    struct credential claims = claims_from_options(o, key_issuer, &room);
    if (o->kid)
        want_bytes("kid", o->kid, key.kid, COSE_KID_SIZE);
    uint8_t payload[CREDENTIAL_SIZE_MAX], cose[CREDENTIAL_SIZE_MAX];
    size_t length = make_payload(o, &claims, &room, payload, sizeof payload);
    if (length > 0)
        length =
            cose_sign((struct bytes){payload, length}, COSE_TYP_CREDENTIAL, key.kid, key.secret_key, cose, sizeof cose);
    uint8_t kid[COSE_KID_SIZE];
    memcpy(kid, key.kid, sizeof kid);
    signing_key_wipe(&key);
    if (length == 0)
        return cli_refuse("the credential would be larger than %d bytes", CREDENTIAL_SIZE_MAX);
    return print_credential(o, &claims, kid, (struct bytes){cose, length});
}

int cli_issue(int argc, char **argv)
{
    struct issue_options o = {0};
    const struct cli_option options[] = {
        {"key", CLI_TEXT, "FILE", "private JWK of the issuer (chengmen key generate)", &o.key, NULL},
        {"class", CLI_TEXT, "CLASS", "dynamic (default), printed, delegated, enterprise, venue-pass", &o.class, NULL},
        {"issuer", CLI_TEXT, "NAME", "default: the key's iss, else CN-310000", &o.issuer, NULL},
        {"subject", CLI_TEXT, "HEX", "16 bytes, or random (default)", &o.subject, NULL},
        {"region", CLI_TEXT, "CODE", "GB/T 2260, or none; default: the issuer's", &o.region, NULL},
        {"colour", CLI_TEXT, "COLOUR", "green, yellow, red, unknown (none); default by class", &o.colour, NULL},
        {"iat", CLI_TEXT, "TIME", "issue time: seconds since 1970, +N, -N, date-time; default now", &o.iat, NULL},
        {"exp", CLI_TEXT, "TIME", "end of validity; default iat plus life", &o.exp, NULL},
        {"life", CLI_TEXT, "SECONDS", "default: the class's longest", &o.life, NULL},
        {"nbf", CLI_TEXT, "TIME", "begin of validity; default none", &o.nbf, NULL},
        {"status-uri", CLI_TEXT, "URI", "status list that has the credential's state", &o.status_uri, NULL},
        {"status-index", CLI_TEXT, "N", "index in that list; default 0", &o.status_index, NULL},
        {"proofing", CLI_TEXT, "LEVEL", "identity proofing level", &o.proofing, NULL},
        {"needs-id", CLI_FLAG, NULL, "staff must check an identity document", &o.needs_id, NULL},
        {"delegate", CLI_TEXT, "HEX", "8 bytes: who shows it; made up for class delegated", &o.delegate, NULL},
        {"photo", CLI_TEXT, "HEX", "digest of the photo, up to 32 bytes", &o.photo, NULL},
        {"role", CLI_LIST, "TEXT", "enterprise role; up to 8 times", &o.roles, NULL},
        {"venue", CLI_TEXT, "NAME", "venue of a pass", &o.venue, NULL},
        {"arrival", CLI_TEXT, "DAY", "day of arrival: 2020-03-01 or days since 1970", &o.arrival, NULL},
        {"occupation", CLI_TEXT, "TEXT", "occupation", &o.occupation, NULL},
        {"cti", CLI_TEXT, "HEX", "8 bytes, the replay key; default random where the class has one", &o.cti, NULL},
        {"kid", CLI_TEXT, "HEX", "another kid than the key's (a wrong one)", &o.kid, NULL},
        {"claim", CLI_LIST, "LABEL=HEX", "sets a claim to CBOR, `city.LABEL=` a city claim; no HEX leaves it out",
         &o.claims, NULL},
        {"cbor", CLI_TEXT, "FILE", "writes the raw COSE message; - is standard output, and only it", &o.cbor, NULL},
        {"qr", CLI_TEXT, "WHERE", "QR code: terminal, or the name of a PNG file", &o.qr, NULL},
        {"json", CLI_FLAG, NULL, "prints a JSON object instead of the SC1: text", &o.json, NULL},
    };
    const struct cli_usage usage = {"chengmen issue --key FILE [options]",
                                    "Signs a credential and prints its SC1: text.",
                                    options,
                                    sizeof options / sizeof options[0],
                                    0,
                                    0};
    cli_parse(&usage, argc, argv, NULL);
    if (!o.key)
        cli_usage_error("--key is missing; usage: %s", usage.line);
    return issue(&o);
}
