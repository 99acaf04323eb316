/* Parts of profile_read: values with bounds, the rate's shapes, evidence. */
#pragma once

#include "tests/load/profile.h"

/* A number from min to max, required or not. */
void profile_number(const struct json_place *object, const char *name, double min, double max, double *out,
                    struct json_problems *problems);
void profile_optional_number(const struct json_place *object, const char *name, double min, double max, double *out,
                             struct json_problems *problems);
void profile_uint(const struct json_place *object, const char *name, uint64_t min, uint64_t max, uint64_t *out,
                  struct json_problems *problems);
/* Optional milliseconds, up to an hour, as nanoseconds. */
void profile_ms(const struct json_place *object, const char *name, uint64_t *out, struct json_problems *problems);

/* The members "rate" and "duration_s". */
void profile_rate(const struct json_place *root, struct profile *out, struct json_problems *problems);
/* Evidence as the wire carries it. */
void profile_evidence(const struct json_place *evidence, uint8_t room[PROFILE_EVIDENCE_MAX], uint8_t *length,
                      struct json_problems *problems);
