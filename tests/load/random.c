#include "tests/load/random.h"

#include <math.h>
#include <string.h>

double random_exponential(struct random *random)
{
    return -log1p(-random_unit(random));
}

void random_fill(struct random *random, uint8_t *out, uint32_t size)
{
    while (size) {
        uint64_t word = random_next(random);
        uint32_t n = size < sizeof(word) ? size : (uint32_t)sizeof(word);
        memcpy(out, &word, n);
        out += n;
        size -= n;
    }
}

/* H is the integral of x^-s: (x^(1-s) - 1) / (1-s), and log x where s is 1. Written with expm1 and log1p so that it
 * stays exact near s = 1. */
static double integral(double s, double x)
{
    double l = log(x), e = (1 - s) * l;
    return fabs(e) < 1e-8 ? l * (1 + e / 2) : l * expm1(e) / e;
}

static double integral_inverse(double s, double y)
{
    double t = y * (1 - s);
    if (t < -1)
        t = -1; /* rounding at the far end */
    return fabs(t) < 1e-8 ? exp(y * (1 - t / 2)) : exp(y * log1p(t) / t);
}

void zipf_start(struct zipf *zipf, uint64_t n, double s)
{
    zipf->n = n;
    zipf->s = s;
    zipf->high = integral(s, (double)n + 0.5);
    zipf->low = integral(s, 1.5) - 1;
    zipf->accept = 2 - integral_inverse(s, integral(s, 2.5) - pow(2, -s));
}

uint64_t zipf_draw(const struct zipf *zipf, struct random *random)
{
    for (;;) {
        double u = zipf->high + random_unit(random) * (zipf->low - zipf->high);
        double x = integral_inverse(zipf->s, u);
        double k = floor(x + 0.5);
        if (k < 1)
            k = 1;
        if (k > (double)zipf->n)
            k = (double)zipf->n;
        if (k - x <= zipf->accept || u >= integral(zipf->s, k + 0.5) - pow(k, -zipf->s))
            return (uint64_t)k - 1;
    }
}
