#include "tests/load/schedule.h"

#include <math.h>

double rate_duration_s(const struct rate *rate)
{
    double sum = 0;
    for (uint32_t i = 0; i < rate->count; i++)
        sum += rate->pieces[i].duration_s;
    return sum;
}

double rate_peak_per_s(const struct rate *rate)
{
    double peak = 0;
    for (uint32_t i = 0; i < rate->count; i++)
        peak = fmax(peak, fmax(rate->pieces[i].from_per_s, rate->pieces[i].to_per_s));
    return peak;
}

static double piece_requests(const struct schedule_piece *piece)
{
    return (piece->from_per_s + piece->to_per_s) / 2 * piece->duration_s;
}

double rate_requests(const struct rate *rate)
{
    double sum = 0;
    for (uint32_t i = 0; i < rate->count; i++)
        sum += piece_requests(&rate->pieces[i]);
    return sum;
}

double rate_at(const struct rate *rate, double time_s)
{
    for (uint32_t i = 0; i < rate->count; i++) {
        const struct schedule_piece *piece = &rate->pieces[i];
        if (time_s < piece->duration_s)
            return piece->from_per_s + (piece->to_per_s - piece->from_per_s) * time_s / piece->duration_s;
        time_s -= piece->duration_s;
    }
    return 0;
}

void rate_scale(struct rate *rate, double factor)
{
    for (uint32_t i = 0; i < rate->count; i++) {
        rate->pieces[i].from_per_s *= factor;
        rate->pieces[i].to_per_s *= factor;
    }
}

void schedule_start(struct schedule *schedule, const struct rate *rate, enum arrivals arrivals, double ticks_per_s,
                    uint64_t seed, uint32_t share, uint32_t shares)
{
    *schedule = (struct schedule){
        .rate = *rate, .arrivals = arrivals, .ticks_per_s = ticks_per_s, .random = random_of(seed, 'S', share)};
    rate_scale(&schedule->rate, 1.0 / shares);
    schedule->owed =
        arrivals == ARRIVALS_POISSON ? random_exponential(&schedule->random) : (double)share / (double)shares;
}

/* The time t at which from·t + slope·t²/2 reaches `owed`. The form with the root below the line loses no digits where
 * the slope is small, and needs no division by it. */
static double piece_time_s(const struct schedule_piece *piece, double owed)
{
    double slope = (piece->to_per_s - piece->from_per_s) / piece->duration_s;
    double under = piece->from_per_s * piece->from_per_s + 2 * slope * owed;
    double sum = piece->from_per_s + sqrt(under > 0 ? under : 0);
    return sum > 0 ? 2 * owed / sum : 0;
}

uint64_t schedule_next(struct schedule *schedule)
{
    while (schedule->piece < schedule->rate.count) {
        const struct schedule_piece *piece = &schedule->rate.pieces[schedule->piece];
        double whole = piece_requests(piece);
        if (schedule->owed < whole) {
            double at_s = schedule->piece_start_s + piece_time_s(piece, schedule->owed);
            schedule->owed += schedule->arrivals == ARRIVALS_POISSON ? random_exponential(&schedule->random) : 1;
            return (uint64_t)(at_s * schedule->ticks_per_s);
        }
        schedule->owed -= whole;
        schedule->piece_start_s += piece->duration_s;
        schedule->piece++;
    }
    return SCHEDULE_NEVER;
}
