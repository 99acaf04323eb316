/* What each phase of eight verifications side by side takes. */
#pragma once

#include <stdbool.h>

struct verify_phases {
    double hash_ns, reduction_ns, curve_ns, encoding_ns; /* a signature, in bursts of 64 */
    double addition_ns;                                  /* of points, a lane */
    double ghz;                                          /* the clock, by a chain of additions */
};

/* Only for processors with AVX-512 IFMA. Returns false where this build has no path for them, or no memory. */
bool verify_phases_measure(struct verify_phases *out);
