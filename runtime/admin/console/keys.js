// Dotted keys of definitions: "retry.max_attempts".

export const at = (object, key) => key.split('.').reduce((value, part) => value?.[part], object);

// undefined removes the key, and a table that has become empty.
export function put(object, key, value) {
  const [first, ...rest] = key.split('.');
  if (rest.length > 0) {
    const inner = object[first] ?? {};
    put(inner, rest.join('.'), value);
    value = Object.keys(inner).length > 0 ? inner : undefined;
  }
  if (value === undefined) delete object[first];
  else object[first] = value;
}
