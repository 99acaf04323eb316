/* Asks the processor before it enters what is compiled for it; 77 is meson's "skipped". */
#include "keys/ed25519/processor.h"

#include <stdio.h>

int ed25519_lanes_run(void);

int main(void)
{
    if (!processor_has_avx512_ifma()) {
        printf("skipped: the processor has no AVX-512 IFMA\n");
        return 77;
    }
    return ed25519_lanes_run();
}
