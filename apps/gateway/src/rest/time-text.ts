const secondsPerDay = 86_400;
const secondsPerHour = 3_600;
const secondsPerMinute = 60;

const twoDigits = Array.from({ length: 60 }, (_, number) => String(number).padStart(2, "0"));

/**
 * Returns a time of UTC as RFC 3339 has it, in whole seconds since 1970 and milliseconds, which are left out where they
 * are 0: "2027-01-15T08:00:00.005Z". `Date` takes eight times as long, most of it for the calendar.
 */
export function timeText(seconds: number, ms: number): string {
  const day = Math.floor(seconds / secondsPerDay);
  const second = seconds - day * secondsPerDay;
  const hour = Math.floor(second / secondsPerHour);
  const minute = Math.floor((second - hour * secondsPerHour) / secondsPerMinute);
  const rest = second - hour * secondsPerHour - minute * secondsPerMinute;
  const whole = `${dateText(day)}T${twoDigits[hour]}:${twoDigits[minute]}:${twoDigits[rest]}`;
  return ms === 0 ? `${whole}Z` : `${whole}.${ms < 10 ? "00" : ms < 100 ? "0" : ""}${ms}Z`;
}

/**
 * Returns the date of a day since 1970-01-01, from the year 1 to 9999, by the days of eras of 400 years
 * (https://howardhinnant.github.io/date_algorithms.html, `civil_from_days`).
 */
function dateText(day: number): string {
  // Years begin in March, so that a leap day is the last one.
  const shifted = day + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1_460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const dayOfMonth = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return `${String(year).padStart(4, "0")}-${twoDigits[month]}-${twoDigits[dayOfMonth]}`;
}
