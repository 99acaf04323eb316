/* One request's facts, from frame to answer. Filled stage by stage; views point into its frame. */
#pragma once

#include "dataplane/coap.h"
#include "dataplane/evidence.h"
#include "dataplane/limits.h"
#include "dataplane/oscore.h"
#include "dataplane/port.h"
#include "dataplane/reasons.h"
#include "dataplane/replay.h"
#include "dataplane/rules.h"
#include "keys/subject.h"

/* Who asks, on the network. */
struct endpoint {
    uint8_t address[16]; /* IPv4 in the first four bytes, the rest zero */
    uint16_t port;
    uint8_t family; /* 4 or 6 */
};

enum direction { DIRECTION_NONE = 0, DIRECTION_IN = 1, DIRECTION_OUT = 2 };

/* The latest state that the appliance knows (status.c). */
struct latest {
    enum colour colour;
    uint32_t age_s; /* of the status list; of the credential where it names none; 0 where there is neither */
    bool has_list;
    bool has_record;
    bool stale; /* older than twice its ttl */
};

struct request {
    struct frame frame;
    enum reason reason; /* REASON_NONE while under way */

    uint8_t port;      /* that the frame came in on */
    uint64_t since_ns; /* it did not come before; now, where it did not wait */

    /* Frame (net.h): offsets into frame.data. */
    uint16_t network, transport, datagram, datagram_length, vlan;
    struct endpoint source;
    bool trusted; /* the source lies in a trusted prefix */

    /* Message. */
    struct coap_message message;
    uint64_t fingerprint; /* of endpoint and datagram: what makes two messages the same */
    bool noted;           /* its answer is to be kept for retransmissions */
    bool is_protected;    /* by OSCORE, and authentic: so is its answer */
    struct coap_message outer;
    struct oscore_request oscore; /* meant where the message had an OSCORE option */

    /* Point. */
    const struct point *point;
    uint32_t point_index;
    uint32_t max_age_s;             /* when to come back, where its budget is spent; else 0 */
    uint8_t echo[OSCORE_ECHO_SIZE]; /* SOURCE_ECHO: what is asked for */

    /* Request map (design section 4). */
    uint64_t id;
    struct bytes code;      /* the credential, raw COSE; empty where none was shown */
    struct bytes code_text; /* the same as scanned, before decoding; empty where it came raw */
    uint64_t point_time_s;
    struct evidence evidence;
    enum direction direction;
    bool has_point_time;

    /* Credential and venue pass. */
    bool has_credential, has_pass;
    struct credential credential, pass;
    const struct issuer_entry *key, *pass_key;

    /* Latest state. */
    const struct status_list *list;
    uint8_t subject_key[SUBJECT_KEY_SIZE];
    struct subject_record subject;
    struct latest latest;
    struct sighting sighting; /* of the same code before, where it is remarkable */

    /* While it waits for the store (park.h). */
    bool parked;
    uint64_t generation_number; /* of the generation that it was judged in so far */

    struct decision decision;
    uint64_t decision_number;
};
