/* What the point adds to a request (design section 4, request label 4). Views point into the message. */
#pragma once

#include "keys/bytes.h"

struct evidence {
    int32_t temperature_centi; /* centi-degrees Celsius */
    struct bytes pass;         /* COSE_Sign1 of a venue pass; empty where absent */
    struct bytes sms;          /* text; empty where absent */
    struct bytes form;         /* text; empty where absent */
    bool consent, id_checked, mask, registered;
    bool has_temperature, has_consent, has_id_checked, has_mask, has_registered;
};
