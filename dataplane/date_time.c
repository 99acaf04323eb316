#include "dataplane/date_time.h"

#include <math.h>

#define MS_PER_HOUR INT64_C(3600000)
#define MS_PER_DAY INT64_C(86400000)
/* A year further away than this leaves the span whatever the rest is, and all arithmetic below fits. */
#define YEARS_MAX 300000

struct civil {
    int64_t year;
    int64_t month; /* 0 … 11 */
    int64_t day;   /* 1 … 31 */
};

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int64_t days_in_month(int64_t year, int64_t month)
{
    static const int64_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month] + (month == 1 && leap(year));
}

/* Days since 1970-01-01. Years are counted from March, so that the leap day is a year's last. */
static int64_t days_from_civil(struct civil date)
{
    int64_t year = date.year - (date.month < 2);
    int64_t era = floor_div(year, 400);
    int64_t year_of_era = year - era * 400;
    int64_t month = (date.month + 10) % 12;
    int64_t day_of_year = (153 * month + 2) / 5 + date.day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static struct civil civil_from_days(int64_t days)
{
    days += 719468;
    int64_t era = floor_div(days, 146097);
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    struct civil date = {.day = day_of_year - (153 * month + 2) / 5 + 1, .month = (month + 2) % 12};
    date.year = era * 400 + year_of_era + (date.month < 2);
    return date;
}

/* A cursor with a sticky error. */
struct text_reader {
    struct bytes rest;
    bool failed;
};

static bool take_if(struct text_reader *in, char byte)
{
    if (in->failed || in->rest.length == 0 || in->rest.data[0] != (uint8_t)byte)
        return false;
    in->rest.data++;
    in->rest.length--;
    return true;
}

static void take(struct text_reader *in, char byte)
{
    if (!take_if(in, byte))
        in->failed = true;
}

static bool digit_next(const struct text_reader *in)
{
    return !in->failed && in->rest.length > 0 && in->rest.data[0] >= '0' && in->rest.data[0] <= '9';
}

static int64_t take_digits(struct text_reader *in, unsigned count, int64_t min, int64_t max)
{
    int64_t value = 0;
    for (unsigned i = 0; i < count; i++) {
        if (!digit_next(in)) {
            in->failed = true;
            return min;
        }
        value = value * 10 + (in->rest.data[0] - '0');
        in->rest.data++;
        in->rest.length--;
    }
    if (value < min || value > max) {
        in->failed = true;
        return min;
    }
    return value;
}

static bool done(const struct text_reader *in)
{
    return !in->failed && in->rest.length == 0;
}

/* YYYY[-MM[-DD]]; a partial date is the last day it may mean. `whole` says that the day was given. */
static struct civil take_date(struct text_reader *in, bool *whole)
{
    struct civil date = {.year = take_digits(in, 4, 0, 9999), .month = 11, .day = 31};
    *whole = false;
    if (!take_if(in, '-'))
        return date;
    date.month = take_digits(in, 2, 1, 12) - 1;
    date.day = days_in_month(date.year, date.month);
    if (!take_if(in, '-'))
        return date;
    date.day = take_digits(in, 2, 1, date.day);
    *whole = true;
    return date;
}

static int64_t take_milliseconds(struct text_reader *in)
{
    int64_t ms = take_digits(in, 1, 0, 9) * 100;
    if (digit_next(in))
        ms += take_digits(in, 1, 0, 9) * 10;
    if (digit_next(in))
        ms += take_digits(in, 1, 0, 9);
    while (digit_next(in))
        take_digits(in, 1, 0, 9);
    return ms;
}

/* h, hh, hmm, hhmm, h:mm, hh:mm after the sign; milliseconds. */
static int64_t take_offset(struct text_reader *in)
{
    unsigned digits = 0;
    while (digits < in->rest.length && in->rest.data[digits] >= '0' && in->rest.data[digits] <= '9')
        digits++;
    bool colon = digits < in->rest.length;
    if (digits < 1 || digits > (colon ? 2 : 4))
        in->failed = true;
    unsigned hour_digits = digits > 2 ? digits - 2 : digits;
    int64_t hours = take_digits(in, hour_digits, 0, 23);
    int64_t minutes = 0;
    if (colon)
        take(in, ':');
    if (colon || digits > 2)
        minutes = take_digits(in, 2, 0, 59);
    return (hours * 60 + minutes) * 60000;
}

/* hh:mm:ss[.S][offset]; milliseconds after midnight UTC of the date. 24:00:00 is the end of a day, as in ISO 8601. */
static int64_t take_time(struct text_reader *in)
{
    int64_t hour = take_digits(in, 2, 0, 24);
    take(in, ':');
    int64_t minute = take_digits(in, 2, 0, 59);
    take(in, ':');
    int64_t second = take_digits(in, 2, 0, 59);
    int64_t ms = ((hour * 60 + minute) * 60 + second) * 1000;
    if (take_if(in, '.'))
        ms += take_milliseconds(in);
    if (ms > MS_PER_DAY)
        in->failed = true;
    if (take_if(in, '+'))
        ms -= take_offset(in);
    else if (take_if(in, '-'))
        ms += take_offset(in);
    else
        take_if(in, 'Z');
    return ms;
}

bool date_time_parse(struct bytes text, int64_t *ms)
{
    struct text_reader in = {.rest = text};
    bool whole;
    struct civil date = take_date(&in, &whole);
    int64_t time = whole && take_if(&in, 'T') ? take_time(&in) : 0;
    if (!done(&in))
        return false;
    *ms = days_from_civil(date) * MS_PER_DAY + time;
    return true;
}

bool date_of_birth_parse(struct bytes text, int64_t *ms)
{
    return text.length <= DATE_SIZE && date_time_parse(text, ms);
}

bool date_time_has_offset(struct bytes text)
{
    for (size_t i = DATE_SIZE; i < text.length; i++)
        if (text.data[i] == 'Z' || text.data[i] == '+' || text.data[i] == '-')
            return true;
    return false;
}

static void plus_months(int64_t ms, int64_t months, int64_t *out)
{
    int64_t day = floor_div(ms, MS_PER_DAY);
    struct civil date = civil_from_days(day);
    int64_t month = date.year * 12 + date.month + months;
    /* The day of month stays and runs over the month's end by itself. */
    int64_t days = days_from_civil((struct civil){floor_div(month, 12), month - floor_div(month, 12) * 12, 1});
    *out = (days + date.day - 1) * MS_PER_DAY + (ms - day * MS_PER_DAY);
}

bool date_time_plus(int64_t ms, double amount, enum time_unit unit, int64_t *out)
{
    static const double amount_max[TIME_UNIT_COUNT] = {YEARS_MAX * 2.0, YEARS_MAX * 24.0, YEARS_MAX * 732.0,
                                                       YEARS_MAX * 17568.0};
    if (!(fabs(amount) <= amount_max[unit]))
        return false;
    int64_t whole = (int64_t)amount;
    switch (unit) {
    case TIME_UNIT_YEAR:
        plus_months(ms, whole * 12, out);
        break;
    case TIME_UNIT_MONTH:
        plus_months(ms, whole, out);
        break;
    case TIME_UNIT_DAY:
        *out = ms + whole * MS_PER_DAY;
        break;
    case TIME_UNIT_HOUR:
        *out = ms + whole * MS_PER_HOUR;
        break;
    case TIME_UNIT_COUNT:
        return false;
    }
    return *out >= -DATE_TIME_MS_MAX && *out <= DATE_TIME_MS_MAX;
}

static char *put_digits(char *out, int64_t value, unsigned count)
{
    for (unsigned i = count; i > 0; i--) {
        out[i - 1] = (char)('0' + value % 10);
        value /= 10;
    }
    return out + count;
}

/* Up to the seconds. */
static char *put_date_time(char *out, int64_t ms, unsigned year_digits)
{
    int64_t day = floor_div(ms, MS_PER_DAY);
    int64_t second = (ms - day * MS_PER_DAY) / 1000;
    struct civil date = civil_from_days(day);
    out = put_digits(out, date.year < 0 ? -date.year : date.year, year_digits);
    *out++ = '-';
    out = put_digits(out, date.month + 1, 2);
    *out++ = '-';
    out = put_digits(out, date.day, 2);
    *out++ = 'T';
    out = put_digits(out, second / 3600, 2);
    *out++ = ':';
    out = put_digits(out, second / 60 % 60, 2);
    *out++ = ':';
    return put_digits(out, second % 60, 2);
}

static bool four_digit_year(int64_t ms)
{
    int64_t year = civil_from_days(floor_div(ms, MS_PER_DAY)).year;
    return year >= 0 && year <= 9999;
}

size_t date_time_write_ms(int64_t ms, char room[DATE_TIME_ROOM])
{
    char *out = room;
    bool short_year = four_digit_year(ms);
    if (!short_year)
        *out++ = ms < 0 ? '-' : '+';
    out = put_date_time(out, ms, short_year ? 4 : 6);
    *out++ = '.';
    out = put_digits(out, ms - floor_div(ms, 1000) * 1000, 3);
    *out++ = 'Z';
    *out = 0;
    return (size_t)(out - room);
}

size_t date_time_write_s(uint64_t s, char room[DATE_TIME_ROOM])
{
    if (s > DATE_TIME_S_MAX || !four_digit_year((int64_t)s * 1000))
        return 0;
    char *out = put_date_time(room, (int64_t)s * 1000, 4);
    *out++ = 'Z';
    *out = 0;
    return (size_t)(out - room);
}
