/* What is in force and how the daemons are: as JSON for `chengmen info` and the operator's page, and as Prometheus text
 * for /metrics. Nothing in it names a person. */
#pragma once

#include "control/service.h"
#include "control/telemetry_client.h"

/* `telemetry` may be all NULL: the dataplane is not there. The caller frees. */
cJSON *overview_json(const struct service *service, const struct telemetry *telemetry);
/* For the page: the overview with each reason's texts and count. */
cJSON *overview_page_json(const struct service *service, const struct telemetry *telemetry);
/* NULL where memory is out; the caller frees. */
char *overview_metrics(const struct service *service, const struct telemetry *telemetry);
