/* The request map of design section 4. Strict: a label that is not in it is refused, so that a point learns at once
 * that it speaks another version. */
#include "dataplane/stages.h"
#include "keys/cbor.h"

#define LABELS_MAX 7

enum request_label {
    LABEL_ID = 1,
    LABEL_CREDENTIAL = 2,
    LABEL_POINT_TIME = 3,
    LABEL_EVIDENCE = 4,
    LABEL_DIRECTION = 6,
    LABEL_FLAGS = 7,
};

enum evidence_label {
    EVIDENCE_TEMPERATURE = 1,
    EVIDENCE_PASS = 2,
    EVIDENCE_SMS = 3,
    EVIDENCE_CONSENT = 4,
    EVIDENCE_ID_CHECKED = 5,
    EVIDENCE_MASK = 6,
    EVIDENCE_REGISTERED = 7,
    EVIDENCE_FORM = 8,
    EVIDENCE_LABELS = 8,
};

/* Between absolute zero and what a scanner could report; wider than any body. */
#define TEMPERATURE_MIN_CENTI (-27315)
#define TEMPERATURE_MAX_CENTI 100000

static struct bytes take_short_text(struct cbor_reader *in)
{
    struct bytes text = cbor_take_text(in);
    if (text.length == 0 || text.length > EVIDENCE_TEXT_MAX)
        in->failed = true;
    return text;
}

static int32_t take_temperature(struct cbor_reader *in)
{
    int64_t value = cbor_take_int(in);
    if (value < TEMPERATURE_MIN_CENTI || value > TEMPERATURE_MAX_CENTI)
        in->failed = true;
    return (int32_t)value;
}

static bool take_flag(struct cbor_reader *in, bool *has)
{
    *has = true;
    return cbor_take_bool(in);
}

static void take_evidence(struct cbor_reader *in, struct evidence *e)
{
    struct cbor_labels labels;
    labels.number_count = labels.text_count = 0;
    for (uint32_t count = cbor_take_map(in, EVIDENCE_LABELS); count > 0 && !in->failed; count--) {
        switch (cbor_take_number_label(in, &labels)) {
        case EVIDENCE_TEMPERATURE:
            e->temperature_centi = take_temperature(in);
            e->has_temperature = true;
            break;
        case EVIDENCE_PASS:
            e->pass = cbor_take_bytes(in);
            if (e->pass.length == 0)
                in->failed = true;
            break;
        case EVIDENCE_SMS:
            e->sms = take_short_text(in);
            break;
        case EVIDENCE_CONSENT:
            e->consent = take_flag(in, &e->has_consent);
            break;
        case EVIDENCE_ID_CHECKED:
            e->id_checked = take_flag(in, &e->has_id_checked);
            break;
        case EVIDENCE_MASK:
            e->mask = take_flag(in, &e->has_mask);
            break;
        case EVIDENCE_REGISTERED:
            e->registered = take_flag(in, &e->has_registered);
            break;
        case EVIDENCE_FORM:
            e->form = take_short_text(in);
            break;
        default:
            in->failed = true;
        }
    }
}

/* Raw COSE, or the text as scanned; an empty one says the same as none: no code was shown. */
static void take_code(struct cbor_reader *in, struct request *r)
{
    if (cbor_peek(in) == CBOR_TEXT)
        r->code_text = cbor_take_text(in);
    else
        r->code = cbor_take_bytes(in);
    r->has_credential = r->code.length > 0 || r->code_text.length > 0;
}

static uint64_t take_up_to(struct cbor_reader *in, uint64_t max)
{
    uint64_t value = cbor_take_uint(in);
    if (value > max)
        in->failed = true;
    return value;
}

enum reason request_parse(struct request *r, struct bytes payload)
{
    struct cbor_reader in = cbor_read(payload);
    struct cbor_labels labels;
    labels.number_count = labels.text_count = 0;
    bool has_id = false;
    r->code = r->code_text = (struct bytes){NULL, 0};
    r->has_credential = r->has_pass = r->has_point_time = false;
    r->direction = DIRECTION_NONE;
    memset(&r->evidence, 0, sizeof r->evidence);
    for (uint32_t count = cbor_take_map(&in, LABELS_MAX); count > 0 && !in.failed; count--) {
        switch (cbor_take_number_label(&in, &labels)) {
        case LABEL_ID:
            r->id = (uint32_t)take_up_to(&in, UINT32_MAX);
            has_id = true;
            break;
        case LABEL_CREDENTIAL:
            take_code(&in, r);
            break;
        case LABEL_POINT_TIME:
            r->point_time_s = cbor_take_uint(&in);
            r->has_point_time = true;
            break;
        case LABEL_EVIDENCE:
            take_evidence(&in, &r->evidence);
            break;
        case LABEL_DIRECTION:
            r->direction = take_up_to(&in, 1) == 0 ? DIRECTION_IN : DIRECTION_OUT;
            break;
        case LABEL_FLAGS:
            cbor_take_uint(&in);
            break;
        default:
            in.failed = true;
        }
    }
    return cbor_done(&in) && has_id ? REASON_NONE : REASON_REQUEST_FORM;
}
