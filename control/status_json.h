/* Subject changes as JSON, for `chengmen status set|import|get`. */
#pragma once

#include "control/json.h"
#include "keys/subject.h"

/* Members of a change; times are seconds since 1970:
 *   issuer, subject  required: `CN-310000`, 16 bytes in hexadecimal
 *   colour           required unless `remove`: "green", "yellow", "red"
 *   since            when the colour came into force; default now
 *   until            when it ends; default open
 *   arrival          day of arrival, days since 1970 or "2020-03-01"; default none
 *   key_region       came from a key region; default false
 *   occupation       up to 11 bytes; default none
 *   reason           the agency's reason code, 0 to 255; default 0
 *   version          the later wins; default microseconds since 1970, now
 *   remove           true: the subject has no record any more */
struct subject_change {
    char issuer[CREDENTIAL_ISSUER_MAX + 1];
    uint8_t subject[SUBJECT_SIZE];
    struct subject_record record; /* without its key */
};

bool subject_change_read(const struct json_place *document, uint64_t now_s, uint64_t now_us, struct subject_change *out,
                         struct json_problems *problems);
cJSON *subject_record_json(const struct subject_record *record);

/* The values of a status list: "valid", "invalid", "suspended", "application"; ends with NULL. */
extern const char *const status_value_names[];
