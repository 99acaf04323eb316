/* What the daemon is while it runs, and the calls that it answers: JSON-RPC 2.0, one call or a batch a line. */
#pragma once

#include "control/config_json.h"
#include "control/journal.h"
#include "keys/seal.h"

#define SERVICE_BATCH_MAX 64
/* Entries of one call that adds or lists many. */
#define SERVICE_ITEMS_MAX 4096
#define SERVICE_RULES_TEXT_MAX LOG_PAYLOAD_MAX

struct service {
    struct journal journal;
    const struct operator_config *config;
    struct seal_key *seal_key;
    uint64_t started_s;
    uint64_t last_version; /* of a subject change that named none */
    uint64_t calls, refusals;
};

/* How a method fails: problems in its params, or one line of text, or both empty for success. */
struct reply {
    struct json_problems problems;
    char error[256];
};

/* Answers `params`, an object; the result is the caller's. NULL where `reply` tells why not. */
typedef cJSON *service_method(struct service *service, const struct json_place *params, struct reply *reply);

service_method method_key_import, method_key_list, method_key_retire;
service_method method_point_import, method_point_list, method_point_remove, method_point_export, method_point_rotate,
    method_point_revoke;
service_method method_rules_apply, method_rules_show, method_rules_rollback;
service_method method_status_set_list, method_status_set_subjects, method_status_get, method_status_lists,
    method_status_import_list, method_status_history;
service_method method_info;

/* The key of the subject that `issuer` and `subject` name. False where either is refused. */
bool service_subject_key(const struct service *service, const struct json_place *params, uint8_t key[SUBJECT_KEY_SIZE],
                         struct json_problems *problems);

/* The answer to one line, or NULL where none is due (notifications). `line` has a zero byte behind. The caller frees it
 * with free. Changes are in force only after journal_commit, so nothing may be sent before. */
char *service_answer(void *service, char *line, size_t length);
