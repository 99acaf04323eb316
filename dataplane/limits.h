/* Every bound of the dataplane, derived from one another and asserted. */
#pragma once

#include <assert.h>

#include "dataplane/oscore_message.h"
#include "keys/credential.h"
#include "keys/ed25519/ed25519.h"

/* Frames a worker takes at once. Full bursts are what the signature engine is fastest with. */
#define BURST_MAX 64
/* Each request brings a credential and at most one venue pass. */
#define CHECKS_MAX (2 * BURST_MAX)
static_assert(CREDENTIAL_SIZE_MAX + 32 <= COSE_SIGNED_MAX, "what is signed is hardly longer than the credential");
static_assert(CHECKS_MAX <= ED25519_BURST_MAX, "one call verifies a burst and its passes");

/* Frames of a worker and port that wait for a burst, where the receive queue held more than one. */
#define BACKLOG_MAX 2048
static_assert(BACKLOG_MAX >= 4 * BURST_MAX, "a pause is worked off, not dropped");
/* Under overload less than a burst is served at a time: what comes meanwhile waits less long. */
#define OVERLOAD_BURST 48

/* Requests of a worker that wait for the store. */
#define PARKED_MAX 1024

#define REQUEST_SIZE_MAX 1400 /* CoAP payload; two credentials as text and all evidence fit */
#define EVIDENCE_TEXT_MAX 64

/* The answer: CoAP header and token, Content-Format, marker, and a map of at most ten entries. */
#define ANSWER_PAYLOAD_MAX 160
/* Under OSCORE one byte for the code, its option and a tag more. */
#define ANSWER_PLAINTEXT_MAX (1 + 32 + ANSWER_PAYLOAD_MAX)
#define ANSWER_SIZE_MAX (4 + 8 + 2 + OSCORE_OPTION_MAX + 1 + ANSWER_PLAINTEXT_MAX + OSCORE_TAG_MAX)
