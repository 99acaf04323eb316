/* What the processor can do, asked at run time. */
#pragma once

#include <stdbool.h>

/* AVX-512 F, DQ, BW, VL, VBMI2 and IFMA, and an operating system that saves their registers. */
static inline bool processor_has_avx512_ifma(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512ifma") &&
           __builtin_cpu_supports("bmi2");
#else
    return false;
#endif
}

/* AVX2 and FMA, and an operating system that saves their registers. */
static inline bool processor_has_avx2_fma(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
#else
    return false;
#endif
}
