/* Asks the processor before it enters what is compiled for it; 77 is meson's "skipped". */
#include "keys/ed25519/processor.h"

#include <stdio.h>

int ed25519_lanes_x4_run(void);

int main(void)
{
    if (!processor_has_avx2_fma()) {
        printf("skipped: the processor has no AVX2 and FMA\n");
        return 77;
    }
    return ed25519_lanes_x4_run();
}
