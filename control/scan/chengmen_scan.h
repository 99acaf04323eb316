/* libchengmen-scan: a scanning point's side of Chengmen's wire, for gates, handheld scanners and staff terminals.
 *
 * One session is one point talking to one appliance over UDP (CoAP, RFC 7252; protected by OSCORE, RFC 8613, where a
 * context is given). A session is used by one thread at a time; different sessions are independent. The library keeps
 * no global state, starts no thread, writes nothing to standard output, and allocates only in chengmen_scan_open.
 *
 *     struct chengmen_scan_options options = {.appliance = "192.0.2.1", .context_file = "/etc/gate/point-7.json"};
 *     struct chengmen_scan *scan = chengmen_scan_open(&options, error, sizeof error);
 *     struct chengmen_scan_request request = {.code = text, .code_size = strlen(text)};
 *     struct chengmen_scan_answer answer;
 *     chengmen_scan_ask(scan, &request, &answer);
 *     if (chengmen_scan_opens(&answer))
 *         open_the_gate();
 *
 * A gate opens on chengmen_scan_opens and on nothing else: it is false for every error, timeout, refusal, malformed,
 * foreign or replayed answer, and for every verdict that leaves something for staff to do. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CHENGMEN_SCAN_API __attribute__((visibility("default")))

#define CHENGMEN_SCAN_CODE_MAX 1280 /* bytes of a code, text or COSE */
#define CHENGMEN_SCAN_PASS_MAX 800  /* bytes of a venue pass, COSE */
#define CHENGMEN_SCAN_TEXT_MAX 64   /* bytes of a text in the evidence, and of a rule's id */

struct chengmen_scan;

struct chengmen_scan_options {
    const char *appliance;    /* address[:port]: 192.0.2.1, 192.0.2.1:5683, 2001:db8::1, [2001:db8::1]:5683 */
    const char *from;         /* the address to send from; NULL: the route's own */
    const char *context_file; /* OSCORE context (JSON, as the appliance exports it); NULL: plain CoAP */
    uint32_t deadline_ms;     /* to give up after, however many retransmissions are left; 0: RFC 7252's 62 to 93 s */
};

/* What the point shows and adds. Zero-initialised, every member is absent. Memory stays the caller's and is read only
 * during the call. */
struct chengmen_scan_request {
    const void *code; /* the credential: `SC1:` text as scanned, or raw COSE; may be absent where no code is needed */
    size_t code_size;
    const void *pass; /* venue pass, raw COSE */
    size_t pass_size;
    const char *sms;       /* return-to-work message code */
    const char *form;      /* reference of an epidemiological form */
    uint64_t time_s;       /* the point's own clock, seconds since 1970 */
    uint64_t flags;        /* reserved for the city's use */
    int32_t temperature_c; /* centi-degrees Celsius */
    uint8_t direction;     /* 0 in, 1 out */
    bool consent, id_checked, mask, registered;
    bool has_time, has_flags, has_temperature, has_direction, has_consent, has_id_checked, has_mask, has_registered;
};

enum chengmen_scan_result {
    CHENGMEN_SCAN_VERDICT = 1, /* a verdict, fresh and for this request */
    CHENGMEN_SCAN_REFUSED,     /* a CoAP error: `coap_code`, `reason` and `max_age_s` say more */
    CHENGMEN_SCAN_RESET,       /* the other side rejected the message (RST): no appliance there */
    CHENGMEN_SCAN_TIMEOUT,     /* no answer that could be accepted came in time */
    CHENGMEN_SCAN_INVALID,     /* an answer to this request came and is not in the agreed form */
    CHENGMEN_SCAN_NETWORK,     /* sending or receiving failed: see errno */
    CHENGMEN_SCAN_REQUEST,     /* the request is out of bounds: nothing was sent */
    CHENGMEN_SCAN_SEQUENCE,    /* no sequence number could be taken for OSCORE: nothing was sent */
};

enum chengmen_scan_verdict {
    CHENGMEN_SCAN_ALLOW = 0,
    CHENGMEN_SCAN_ALLOW_WITH_OBLIGATIONS = 1,
    CHENGMEN_SCAN_NEED_EVIDENCE = 2,
    CHENGMEN_SCAN_REFER = 3,
    CHENGMEN_SCAN_DENY = 4,
    CHENGMEN_SCAN_RETRY = 5,
};

enum chengmen_scan_colour {
    CHENGMEN_SCAN_GREEN = 0,
    CHENGMEN_SCAN_YELLOW = 1,
    CHENGMEN_SCAN_RED = 2,
    CHENGMEN_SCAN_UNKNOWN = 3,
};

struct chengmen_scan_answer {
    enum chengmen_scan_result result;
    enum chengmen_scan_verdict verdict; /* DENY unless `result` is CHENGMEN_SCAN_VERDICT */
    enum chengmen_scan_colour colour;   /* UNKNOWN unless `result` is CHENGMEN_SCAN_VERDICT */
    uint32_t reason;                    /* a number of Chengmen's reasons; 0: none was given */
    uint32_t obligations;               /* bit 1 << number */
    uint32_t id;                        /* the request's, chosen by the library */
    uint64_t rules_version;
    uint64_t status_age_s;
    uint64_t until_s;                      /* valid where has_until */
    uint64_t decision;                     /* the appliance's number of this decision; valid where has_decision */
    char rule[CHENGMEN_SCAN_TEXT_MAX + 1]; /* id of the rule that decided; empty where none did */
    uint8_t coap_code;
    bool is_protected; /* the answer itself came under OSCORE */
    bool has_until, has_decision;
    uint32_t max_age_s;     /* of a refusal: ask again after; 0: none was given */
    uint32_t transmissions; /* datagrams that carried this request */
    uint64_t taken_ns;      /* from the first datagram to the answer */
};

/* Opens a session. NULL where an address, the context file or the socket cannot be used; `error` then holds one line
 * for people. */
CHENGMEN_SCAN_API struct chengmen_scan *chengmen_scan_open(const struct chengmen_scan_options *options, char *error,
                                                           size_t error_size);

/* Asks once and waits for the answer: retransmits as RFC 7252 section 4.2 says, takes piggybacked and separate
 * responses, discards what is not an answer to this request, and meets an Echo challenge (RFC 9175) once. Fills all of
 * `answer` and returns its result. */
CHENGMEN_SCAN_API enum chengmen_scan_result chengmen_scan_ask(struct chengmen_scan *scan,
                                                              const struct chengmen_scan_request *request,
                                                              struct chengmen_scan_answer *answer);

/* Whether the gate opens by itself: the verdict is ALLOW and nothing is left for staff to do. */
CHENGMEN_SCAN_API bool chengmen_scan_opens(const struct chengmen_scan_answer *answer);

/* The point that the context file names; false for a session without one. */
CHENGMEN_SCAN_API bool chengmen_scan_point(const struct chengmen_scan *scan, uint32_t *point);

CHENGMEN_SCAN_API void chengmen_scan_close(struct chengmen_scan *scan);

/* Words for people. All are static; an unknown number gives "UNKNOWN". */
CHENGMEN_SCAN_API const char *chengmen_scan_result_text(enum chengmen_scan_result result);
CHENGMEN_SCAN_API const char *chengmen_scan_verdict_name(enum chengmen_scan_verdict verdict);
CHENGMEN_SCAN_API const char *chengmen_scan_colour_name(enum chengmen_scan_colour colour);
CHENGMEN_SCAN_API const char *chengmen_scan_reason_name(uint32_t reason);
CHENGMEN_SCAN_API const char *chengmen_scan_reason_text(uint32_t reason, bool chinese);
CHENGMEN_SCAN_API const char *chengmen_scan_obligation_name(unsigned number);
CHENGMEN_SCAN_API const char *chengmen_scan_obligation_text(unsigned number, bool chinese);

#ifdef __cplusplus
}
#endif
