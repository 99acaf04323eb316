/* Dates and date-times of CertLogic (specification 1.3.2, "Offset date-time" and "DCC Date of birth"): proleptic
 * Gregorian calendar, milliseconds since 1970-01-01T00:00:00Z, offsets as ECMAScript's Date makes them. */
#pragma once

#include "keys/bytes.h"

/* The span of ECMAScript's Date. */
#define DATE_TIME_MS_MAX INT64_C(8640000000000000)
#define DATE_TIME_S_MAX ((uint64_t)DATE_TIME_MS_MAX / 1000)
#define DATE_SIZE 10 /* YYYY-MM-DD */

enum time_unit { TIME_UNIT_YEAR, TIME_UNIT_MONTH, TIME_UNIT_DAY, TIME_UNIT_HOUR, TIME_UNIT_COUNT };

/* Each of the formats YYYY, YYYY-MM (the last day they may mean), YYYY-MM-DD, YYYY-MM-DDThh:mm:ss with or without
 * fractions of a second (beyond milliseconds cut) and with or without an offset (Z, ±h, ±hh, ±hmm, ±hhmm, ±h:mm,
 * ±hh:mm; without one it is UTC). False for everything else, and for days and hours that do not exist. */
bool date_time_parse(struct bytes text, int64_t *ms);
/* YYYY, YYYY-MM, YYYY-MM-DD only. */
bool date_of_birth_parse(struct bytes text, int64_t *ms);
/* Whether the text says its offset, so that it means the same instant everywhere. */
bool date_time_has_offset(struct bytes text);

/* Adds; a day of month beyond the month's end runs on into the next month (2020-02-29 + 1 year is 2021-03-01). False
 * where the result leaves DATE_TIME_MS_MAX. `amount` is a whole number. */
bool date_time_plus(int64_t ms, double amount, enum time_unit unit, int64_t *out);

#define DATE_TIME_ROOM 32
/* "2020-03-06T00:00:00.000Z", years outside 0000 to 9999 as ±YYYYYY; NUL-terminated. Returns the length. */
size_t date_time_write_ms(int64_t ms, char room[DATE_TIME_ROOM]);
/* "2020-03-06T00:00:00Z"; 0 where the year does not have four digits. */
size_t date_time_write_s(uint64_t s, char room[DATE_TIME_ROOM]);
