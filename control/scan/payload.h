/* Request and response payloads (design section 4), as the scanning point sees them. */
#pragma once

#include "control/scan/chengmen_scan.h"
#include "keys/bytes.h"

/* Writes the request map; returns its size, or 0 where the request is out of bounds or the room ends. */
size_t payload_write(const struct chengmen_scan_request *request, uint32_t id, uint8_t *room, size_t size);

/* Reads a verdict. False, with `answer` untouched, where the payload is not in the agreed form or its id is not `id`.
 */
bool payload_read_verdict(struct bytes payload, uint32_t id, struct chengmen_scan_answer *answer);

/* Reads the reason of a CoAP error; 0 where the payload gives none. */
uint32_t payload_read_reason(struct bytes payload);
