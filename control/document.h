/* JSON files of operators: load, then report what is wrong. */
#pragma once

#include "control/json.h"

/* The file's tree, to be freed with cJSON_Delete, or NULL after a report. */
cJSON *document_load(const char *path);
/* Prints and frees the problems, a line each on standard error: `chengmen: FILE: POINTER: what`. Returns true where
 * nothing was refused. */
bool document_report(const char *path, struct json_problems *problems);
