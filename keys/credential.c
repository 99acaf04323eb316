#include "keys/credential.h"

/* CWT claims (RFC 8392 section 4, the Token Status List draft) and the city's own. */
enum claim {
    CLAIM_ISS = 1,
    CLAIM_SUB = 2,
    CLAIM_EXP = 4,
    CLAIM_NBF = 5,
    CLAIM_IAT = 6,
    CLAIM_CTI = 7,
    CLAIM_STATUS = 65535,
    CLAIM_CITY = -65537,
};

enum city_claim {
    CITY_CLASS = 1,
    CITY_REGION = 2,
    CITY_COLOUR = 3,
    CITY_PROOFING = 4,
    CITY_NEEDS_ID = 5,
    CITY_DELEGATE = 6,
    CITY_PHOTO = 7,
    CITY_ROLES = 8,
    CITY_VENUE = 9,
    CITY_ARRIVAL = 10,
    CITY_OCCUPATION = 11,
};

#define CLAIMS_MAX 24
#define DELEGATE_SIZE 8
#define PHOTO_DIGEST_MAX 32
#define REGION_MAX 999999
#define PROOFING_MAX 9
#define DAY_MAX 65535 /* the year 2149 */
#define SECONDS_MAX (UINT64_C(1) << 36)

static const char status_list_name[] = "status_list";

/* What the parser notes beside the credential itself. */
struct claims_seen {
    bool iss, sub, exp, iat, city, class;
};

static uint64_t take_bounded(struct cbor_reader *in, uint64_t max)
{
    uint64_t value = cbor_take_uint(in);
    if (value > max)
        in->failed = true;
    return value;
}

static struct bytes take_text(struct cbor_reader *in, size_t max)
{
    struct bytes text = cbor_take_text(in);
    if (text.length == 0 || text.length > max)
        in->failed = true;
    return text;
}

static const uint8_t *take_exactly(struct cbor_reader *in, size_t size)
{
    struct bytes value = cbor_take_bytes(in);
    if (value.length != size)
        in->failed = true;
    return value.data;
}

static bool text_is(struct bytes text, const char *expected)
{
    return bytes_equal(text, bytes_of_text(expected));
}

/* {"idx": uint, "uri": text}; further members are passed over. */
static void take_status_list(struct cbor_reader *in, struct credential *out)
{
    struct cbor_labels labels;
    labels.number_count = labels.text_count = 0;
    bool has_index = false;
    for (uint32_t count = cbor_take_map(in, CLAIMS_MAX); count > 0 && !in->failed; count--) {
        struct cbor_label label = cbor_take_label(in, &labels);
        if (label.text.data && text_is(label.text, "idx")) {
            out->status_index = cbor_take_uint(in);
            has_index = true;
        } else if (label.text.data && text_is(label.text, "uri")) {
            out->status_uri = take_text(in, CREDENTIAL_URI_MAX);
        } else {
            cbor_take_item(in);
        }
    }
    if (!has_index || out->status_uri.length == 0)
        in->failed = true;
}

static void take_status(struct cbor_reader *in, struct credential *out)
{
    struct cbor_labels labels;
    labels.number_count = labels.text_count = 0;
    for (uint32_t count = cbor_take_map(in, CLAIMS_MAX); count > 0 && !in->failed; count--) {
        struct cbor_label label = cbor_take_label(in, &labels);
        if (label.text.data && text_is(label.text, status_list_name))
            take_status_list(in, out);
        else
            cbor_take_item(in);
    }
}

static void take_roles(struct cbor_reader *in, struct credential *out)
{
    const uint8_t *start = in->next;
    for (uint32_t count = cbor_take_array(in, CREDENTIAL_ROLES_MAX); count > 0 && !in->failed; count--)
        take_text(in, CREDENTIAL_TEXT_MAX);
    out->roles = (struct bytes){start, (size_t)(in->next - start)};
}

static void take_city_claim(struct cbor_reader *in, int64_t label, struct credential *out, struct claims_seen *seen)
{
    switch (label) {
    case CITY_CLASS:
        out->class = (enum credential_class)take_bounded(in, CLASS_COUNT - 1);
        seen->class = true;
        break;
    case CITY_REGION:
        out->region = (uint32_t)take_bounded(in, REGION_MAX);
        out->has_region = true;
        break;
    case CITY_COLOUR:
        out->colour = (enum colour)take_bounded(in, COLOUR_RED);
        break;
    case CITY_PROOFING:
        out->proofing = (uint32_t)take_bounded(in, PROOFING_MAX);
        out->has_proofing = true;
        break;
    case CITY_NEEDS_ID:
        out->needs_id = cbor_take_bool(in);
        out->has_needs_id = true;
        break;
    case CITY_DELEGATE:
        out->delegate = take_exactly(in, DELEGATE_SIZE);
        break;
    case CITY_PHOTO:
        out->photo_digest = cbor_take_bytes(in);
        if (out->photo_digest.length > PHOTO_DIGEST_MAX)
            in->failed = true;
        break;
    case CITY_ROLES:
        take_roles(in, out);
        break;
    case CITY_VENUE:
        out->venue = take_text(in, CREDENTIAL_TEXT_MAX);
        break;
    case CITY_ARRIVAL:
        out->arrival_day = (uint32_t)take_bounded(in, DAY_MAX);
        out->has_arrival = true;
        break;
    case CITY_OCCUPATION:
        out->occupation = take_text(in, CREDENTIAL_TEXT_MAX);
        break;
    default:
        cbor_take_item(in);
    }
}

static void take_city_claims(struct cbor_reader *in, struct credential *out, struct claims_seen *seen)
{
    struct cbor_labels labels;
    labels.number_count = labels.text_count = 0;
    for (uint32_t count = cbor_take_map(in, CLAIMS_MAX); count > 0 && !in->failed; count--) {
        struct cbor_label label = cbor_take_label(in, &labels);
        if (label.text.data)
            cbor_take_item(in);
        else
            take_city_claim(in, label.number, out, seen);
    }
}

static void take_claim(struct cbor_reader *in, int64_t label, struct credential *out, struct claims_seen *seen)
{
    switch (label) {
    case CLAIM_ISS:
        out->issuer = take_text(in, CREDENTIAL_ISSUER_MAX);
        seen->iss = true;
        break;
    case CLAIM_SUB:
        out->subject = take_exactly(in, SUBJECT_SIZE);
        seen->sub = true;
        break;
    case CLAIM_EXP:
        out->exp_s = take_bounded(in, SECONDS_MAX);
        seen->exp = true;
        break;
    case CLAIM_NBF:
        out->nbf_s = take_bounded(in, SECONDS_MAX);
        break;
    case CLAIM_IAT:
        out->iat_s = take_bounded(in, SECONDS_MAX);
        seen->iat = true;
        break;
    case CLAIM_CTI:
        out->cti = take_exactly(in, CTI_SIZE);
        break;
    case CLAIM_STATUS:
        take_status(in, out);
        break;
    case CLAIM_CITY:
        take_city_claims(in, out, seen);
        seen->city = true;
        break;
    default:
        cbor_take_item(in);
    }
}

/* What each class must and must not carry (design section 4). */
static bool class_allows(const struct credential *c)
{
    switch (c->class) {
    case CLASS_DYNAMIC:
        return c->cti;
    case CLASS_DELEGATED:
        return c->cti && c->delegate;
    case CLASS_PRINTED:
        return !c->cti && c->colour == COLOUR_UNKNOWN;
    case CLASS_ENTERPRISE:
        return !c->cti;
    case CLASS_VENUE_PASS:
        return !c->cti && c->venue.length > 0;
    default:
        return false;
    }
}

static enum credential_error parse_claims(struct bytes payload, struct credential *out)
{
    struct claims_seen seen = {0};
    struct cbor_reader in = cbor_read(payload);
    struct cbor_labels labels;
    labels.number_count = labels.text_count = 0;
    for (uint32_t count = cbor_take_map(&in, CLAIMS_MAX); count > 0 && !in.failed; count--) {
        struct cbor_label label = cbor_take_label(&in, &labels);
        if (label.text.data)
            cbor_take_item(&in);
        else
            take_claim(&in, label.number, out, &seen);
    }
    if (!cbor_done(&in))
        return CREDENTIAL_ERROR_FORM;
    if (!seen.iss || !seen.sub || !seen.exp || !seen.iat || !seen.city || !seen.class)
        return CREDENTIAL_ERROR_CLAIMS;
    return out->exp_s > out->iat_s && class_allows(out) ? CREDENTIAL_OK : CREDENTIAL_ERROR_CLAIMS;
}

enum credential_error credential_parse(struct bytes cose, struct credential *out)
{
    memset(out, 0, sizeof *out);
    out->colour = COLOUR_UNKNOWN;
    if (cose.length > CREDENTIAL_SIZE_MAX)
        return CREDENTIAL_ERROR_FORM;
    enum cose_error error = cose_parse(cose, &out->cose);
    if (error != COSE_OK)
        return error == COSE_ERROR_ALGORITHM ? CREDENTIAL_ERROR_ALGORITHM : CREDENTIAL_ERROR_FORM;
    if (out->cose.typ != COSE_TYP_CREDENTIAL)
        return CREDENTIAL_ERROR_TYP;
    return parse_claims(out->cose.payload, out);
}

uint64_t credential_life_max_s(enum credential_class class)
{
    static const uint64_t day_s = 24 * 60 * 60;
    switch (class) {
    case CLASS_DYNAMIC:
    case CLASS_DELEGATED:
        return 60;
    case CLASS_PRINTED:
        return 180 * day_s;
    case CLASS_ENTERPRISE:
        return 366 * day_s;
    case CLASS_VENUE_PASS:
        return 30 * day_s;
    default:
        return 0;
    }
}

const char *credential_class_name(enum credential_class class)
{
    static const char *const names[CLASS_COUNT] = {"dynamic", "printed", "delegated", "enterprise", "venue-pass"};
    return (unsigned)class < CLASS_COUNT ? names[class] : "unknown";
}

const char *colour_name(enum colour colour)
{
    static const char *const names[] = {"green", "yellow", "red", "unknown"};
    return (unsigned)colour <= COLOUR_UNKNOWN ? names[colour] : "unknown";
}
