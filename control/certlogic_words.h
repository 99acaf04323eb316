/* CertLogic as people read it: `status.colour is "red" and evidence.temperature > 3730`. */
#pragma once

#include <cjson/cJSON.h>
#include <stdio.h>

/* Writes any JSON; what is no valid expression comes out as JSON. */
void certlogic_words(const cJSON *expression, FILE *out);
/* The same as text, the caller's. */
char *certlogic_words_text(const cJSON *expression);
