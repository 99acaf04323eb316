#include "control/scan/payload.h"

#include <assert.h>

#include "dataplane/reasons.h"
#include "keys/cbor.h"
#include "keys/utf8.h"

static_assert((int)CHENGMEN_SCAN_ALLOW == (int)VERDICT_ALLOW && (int)CHENGMEN_SCAN_RETRY == (int)VERDICT_RETRY,
              "one numbering");

enum request_label {
    REQUEST_ID = 1,
    REQUEST_CREDENTIAL = 2,
    REQUEST_TIME = 3,
    REQUEST_EVIDENCE = 4,
    REQUEST_DIRECTION = 6,
    REQUEST_FLAGS = 7
};

enum evidence_label {
    EVIDENCE_TEMPERATURE = 1,
    EVIDENCE_PASS,
    EVIDENCE_SMS,
    EVIDENCE_CONSENT,
    EVIDENCE_ID_CHECKED,
    EVIDENCE_MASK,
    EVIDENCE_REGISTERED,
    EVIDENCE_FORM
};

enum response_label {
    RESPONSE_ID = 1,
    RESPONSE_VERDICT,
    RESPONSE_COLOUR,
    RESPONSE_REASON,
    RESPONSE_OBLIGATIONS,
    RESPONSE_RULES,
    RESPONSE_STATUS_AGE,
    RESPONSE_UNTIL,
    RESPONSE_DECISION,
    RESPONSE_RULE,
    RESPONSE_LABELS
};

#define RESPONSE_REQUIRED                                                                                              \
    (1u << RESPONSE_ID | 1u << RESPONSE_VERDICT | 1u << RESPONSE_COLOUR | 1u << RESPONSE_REASON |                      \
     1u << RESPONSE_RULES | 1u << RESPONSE_STATUS_AGE)
#define OBLIGATIONS_MAX 32

static unsigned evidence_count(const struct chengmen_scan_request *r)
{
    const bool present[] = {r->has_temperature, r->pass_size > 0,  r->sms != NULL, r->form != NULL,
                            r->has_consent,     r->has_id_checked, r->has_mask,    r->has_registered};
    unsigned count = 0;
    for (size_t i = 0; i < sizeof present / sizeof *present; i++)
        count += present[i];
    return count;
}

static void put_flag(struct cbor_writer *out, enum evidence_label label, bool present, bool value)
{
    if (!present)
        return;
    cbor_put_uint(out, label);
    cbor_put_bool(out, value);
}

static void put_text(struct cbor_writer *out, enum evidence_label label, const char *text)
{
    if (!text)
        return;
    cbor_put_uint(out, label);
    cbor_put_text(out, bytes_of_text(text));
}

static void put_evidence(struct cbor_writer *out, const struct chengmen_scan_request *r)
{
    cbor_put_uint(out, REQUEST_EVIDENCE);
    cbor_put_map(out, evidence_count(r));
    if (r->has_temperature) {
        cbor_put_uint(out, EVIDENCE_TEMPERATURE);
        cbor_put_int(out, r->temperature_c);
    }
    if (r->pass_size) {
        cbor_put_uint(out, EVIDENCE_PASS);
        cbor_put_bytes(out, (struct bytes){r->pass, r->pass_size});
    }
    put_text(out, EVIDENCE_SMS, r->sms);
    put_flag(out, EVIDENCE_CONSENT, r->has_consent, r->consent);
    put_flag(out, EVIDENCE_ID_CHECKED, r->has_id_checked, r->id_checked);
    put_flag(out, EVIDENCE_MASK, r->has_mask, r->mask);
    put_flag(out, EVIDENCE_REGISTERED, r->has_registered, r->registered);
    put_text(out, EVIDENCE_FORM, r->form);
}

static bool in_bounds(const struct chengmen_scan_request *r)
{
    return r->code_size <= CHENGMEN_SCAN_CODE_MAX && r->pass_size <= CHENGMEN_SCAN_PASS_MAX &&
           (!r->sms || strlen(r->sms) <= CHENGMEN_SCAN_TEXT_MAX) &&
           (!r->form || strlen(r->form) <= CHENGMEN_SCAN_TEXT_MAX) && (!r->has_direction || r->direction <= 1);
}

size_t payload_write(const struct chengmen_scan_request *r, uint32_t id, uint8_t *room, size_t size)
{
    if (!in_bounds(r))
        return 0;
    struct cbor_writer out = cbor_write(room, size);
    bool evidence = evidence_count(r) > 0;
    unsigned members = 1;
    members += r->code_size > 0;
    members += r->has_time;
    members += evidence;
    members += r->has_direction;
    members += r->has_flags;
    cbor_put_map(&out, members);
    cbor_put_uint(&out, REQUEST_ID);
    cbor_put_uint(&out, id);
    if (r->code_size) {
        struct bytes code = {r->code, r->code_size};
        /* COSE begins with a tag or an array, which no text does; what is scanned and is no city code goes as text. */
        bool text = code.data[0] < 0x80 && utf8_valid(code);
        cbor_put_uint(&out, REQUEST_CREDENTIAL);
        if (text)
            cbor_put_text(&out, code);
        else
            cbor_put_bytes(&out, code);
    }
    if (r->has_time) {
        cbor_put_uint(&out, REQUEST_TIME);
        cbor_put_uint(&out, r->time_s);
    }
    if (evidence)
        put_evidence(&out, r);
    if (r->has_direction) {
        cbor_put_uint(&out, REQUEST_DIRECTION);
        cbor_put_uint(&out, r->direction);
    }
    if (r->has_flags) {
        cbor_put_uint(&out, REQUEST_FLAGS);
        cbor_put_uint(&out, r->flags);
    }
    return cbor_written(&out).length;
}

/* An unsigned number no larger than `max`. */
static uint64_t take_up_to(struct cbor_reader *in, uint64_t max)
{
    uint64_t value = cbor_take_uint(in);
    if (value > max)
        in->failed = true;
    return in->failed ? 0 : value;
}

static uint32_t take_obligations(struct cbor_reader *in)
{
    uint32_t set = 0;
    for (uint32_t n = cbor_take_array(in, OBLIGATIONS_MAX); n > 0 && !in->failed; n--)
        set |= UINT32_C(1) << take_up_to(in, OBLIGATIONS_MAX - 1);
    return set;
}

static void take_rule(struct cbor_reader *in, char rule[CHENGMEN_SCAN_TEXT_MAX + 1])
{
    struct bytes text = cbor_take_text(in);
    if (text.length > CHENGMEN_SCAN_TEXT_MAX)
        in->failed = true;
    for (size_t i = 0; i < text.length && !in->failed; i++)
        in->failed = text.data[i] < 0x20 || text.data[i] == 0x7f; /* it goes to terminals */
    if (in->failed || text.length == 0)
        return;
    memcpy(rule, text.data, text.length);
    rule[text.length] = 0;
}

static void take_member(struct cbor_reader *in, int64_t label, struct chengmen_scan_answer *a)
{
    switch (label) {
    case RESPONSE_ID:
        a->id = (uint32_t)take_up_to(in, UINT32_MAX);
        break;
    case RESPONSE_VERDICT:
        a->verdict = (enum chengmen_scan_verdict)take_up_to(in, CHENGMEN_SCAN_RETRY);
        break;
    case RESPONSE_COLOUR:
        a->colour = (enum chengmen_scan_colour)take_up_to(in, CHENGMEN_SCAN_UNKNOWN);
        break;
    case RESPONSE_REASON:
        a->reason = (uint32_t)take_up_to(in, UINT16_MAX);
        break;
    case RESPONSE_OBLIGATIONS:
        a->obligations = take_obligations(in);
        break;
    case RESPONSE_RULES:
        a->rules_version = cbor_take_uint(in);
        break;
    case RESPONSE_STATUS_AGE:
        a->status_age_s = cbor_take_uint(in);
        break;
    case RESPONSE_UNTIL:
        a->until_s = cbor_take_uint(in);
        a->has_until = true;
        break;
    case RESPONSE_DECISION:
        a->decision = cbor_take_uint(in);
        a->has_decision = true;
        break;
    case RESPONSE_RULE:
        take_rule(in, a->rule);
        break;
    default:
        in->failed = true;
    }
}

bool payload_read_verdict(struct bytes payload, uint32_t id, struct chengmen_scan_answer *answer)
{
    if (payload.length == 0)
        return false;
    struct chengmen_scan_answer read = *answer;
    struct cbor_reader in = cbor_read(payload);
    struct cbor_labels labels = {0};
    uint32_t seen = 0;
    for (uint32_t n = cbor_take_map(&in, RESPONSE_LABELS); n > 0 && !in.failed; n--) {
        int64_t label = cbor_take_number_label(&in, &labels);
        take_member(&in, label, &read);
        if (!in.failed)
            seen |= 1u << label;
    }
    if (!cbor_done(&in) || (seen & RESPONSE_REQUIRED) != RESPONSE_REQUIRED || read.id != id)
        return false;
    *answer = read;
    return true;
}

uint32_t payload_read_reason(struct bytes payload)
{
    if (payload.length == 0)
        return 0;
    struct cbor_reader in = cbor_read(payload);
    if (cbor_take_map(&in, 1) != 1 || cbor_take_uint(&in) != RESPONSE_REASON)
        return 0;
    uint32_t reason = (uint32_t)take_up_to(&in, UINT16_MAX);
    return cbor_done(&in) ? reason : 0;
}
