/* Scanning points as JSON, for `chengmen point add|import|list`. */
#pragma once

#include "control/json.h"
#include "keys/point.h"

/* Members of a point:
 *   id          required, 1 to 4294967295
 *   venue       required: the venue's name
 *   class       required: `hospital`, `office`, `estate`, `mall`, `subway`, `government-hall`, …
 *   mode        "enforce" (default), "advisory", "not-required"
 *   address     source address from which plain CoAP is this point's; default none
 *   district    GB/T 2260; default none
 *   zone        anti-passback zone; default none
 *   group       point group; default none
 *   priority    0 first to be served … 3 first to be shed; default 1
 *   rate, burst budget, requests a second and at once; default the configuration's
 *   oscore      security context, see below; default none
 * and of oscore, every one in hexadecimal but alg:
 *   alg         "AES-CCM-16-64-128" (default) or "ChaCha20/Poly1305"
 *   master_secret (16 to 32 bytes), master_salt (0 to 8), id_context (0 to 8), point_id and appliance_id (0 to 4)
 *               the appliance makes up what is left out */
bool point_read(const struct json_place *document, struct point *out, struct json_problems *problems);

/* Makes new secrets for a point with a security context; ids and algorithm stay. */
void point_rotate(struct point *point);

/* Without secrets: oscore shows alg and ids only. */
cJSON *point_json(const struct point *point);
/* What a point needs to talk to the appliance: its whole security context, in the form that libchengmen-scan reads
 * (control/scan/context_file.h). */
cJSON *point_secrets_json(const struct point *point);
