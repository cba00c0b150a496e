// Figures and times for people.

const plain = new Intl.NumberFormat('en', {maximumFractionDigits: 0});
const compact = new Intl.NumberFormat('en', {notation: 'compact', maximumFractionDigits: 2});

export const NONE = '–';

export function number(value) {
  if (value === undefined || value === null) return NONE;
  return value < 1e6 ? plain.format(value) : compact.format(value);
}

export function rate(value) {
  if (value === undefined || value === null) return NONE;
  if (value === 0) return '0';
  if (value < 0.1) return '<0.1';
  return value < 10 ? value.toFixed(1) : number(value);
}

// A measured time, from microseconds on.
export function seconds(value) {
  if (value === undefined || value === null) return NONE;
  if (value === 0) return '0';
  if (value < 0.001) return `${(value * 1e6).toFixed(0)} µs`;
  if (value < 1) return `${(value * 1e3).toFixed(value < 0.01 ? 1 : 0)} ms`;
  return age(value, value < 10 ? 1 : 0);
}

// When the service gets messages, of an object with max_rate and delay; empty without either.
export function pacing({max_rate, delay}) {
  return [max_rate && `at most ${max_rate}`, delay && `${delay} after receipt`].filter(Boolean).join(', ');
}

// How long ago, or for how long, in at most the two largest units.
export function age(value, digits = 0) {
  if (value === undefined || value === null) return NONE;
  if (value < 60) return `${Math.max(0, value).toFixed(digits)} s`;
  const minutes = Math.floor(value / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function bytes(value) {
  if (value === undefined || value === null) return NONE;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let rest = value;
  while (rest >= 1024 && unit + 1 < units.length) {
    rest /= 1024;
    ++unit;
  }
  return `${rest.toFixed(unit === 0 || rest >= 100 ? 0 : 1)} ${units[unit]}`;
}

const two = (value) => String(value).padStart(2, '0');

export function clock(moment, withMillis = false) {
  const date = new Date(moment);
  if (Number.isNaN(date.getTime())) return '';
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return withMillis ? `${time}.${String(date.getMilliseconds()).padStart(3, '0')}` : time;
}

// With the date if it is not today.
export function moment(value) {
  const date = new Date(value);
  if (Number.isNaN(date.getTime())) return '';
  if (date.toDateString() === new Date().toDateString()) return clock(date);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock(date)}`;
}

export const since = (value) => age((Date.now() - new Date(value).getTime()) / 1000);

export const plural = (value, one, many = `${one}s`) => `${number(value)} ${value === 1 ? one : many}`;
