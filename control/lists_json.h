/* Status lists as JSON, without their entries. */
#pragma once

#include "control/json.h"
#include "keys/status_list.h"

enum list_freshness { LIST_FRESH, LIST_STALE, LIST_EXPIRED };
enum list_freshness list_freshness(const struct status_list *list, uint64_t now_s);

cJSON *list_json(const struct status_list *list, uint64_t now_s);
