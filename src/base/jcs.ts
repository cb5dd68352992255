/**
 * RFC 8785 (JCS) of plain data: the bytes that are hashed and signed. Written here because every payment passes through it a dozen times; the tests
 * hold it against the `canonicalize` package and the data of the RFC's author.
 */

/** Strings without anything to escape and without surrogates: most of them. */
const PLAIN = /^[^"\\\u0000-\u001f\ud800-\udfff]*$/;
const LONE_SURROGATE = /\p{Cs}/u;

/**
 * The canonical form of plain JSON data. Members that are `undefined` are left out, as JSON does.
 * @throws TypeError for what has no JSON form: a bug of the caller
 */
export function canonical(value: unknown): string {
  switch (typeof value) {
    case 'string': return text(value);
    case 'boolean': return value ? 'true' : 'false';
    case 'number': return number(value);
    case 'object': return value === null ? 'null' : Array.isArray(value) ? `[${value.map(canonical).join(',')}]` : object(value as Record<string, unknown>);
    default: throw new TypeError(`a ${typeof value} has no JSON form`);
  }
}

/** ECMAScript writes numbers and escapes strings exactly as RFC 8785 sections 3.2.2.2 and 3.2.2.3 ask. */
function number(value: number): string {
  if (!Number.isFinite(value)) throw new TypeError(`${value} has no JSON form`);
  return String(value);
}

function text(value: string): string {
  if (PLAIN.test(value)) return `"${value}"`;
  if (LONE_SURROGATE.test(value)) throw new TypeError('a lone surrogate has no JSON form');
  return JSON.stringify(value);
}

/** Members sorted by UTF-16 code units (section 3.2.3), which is how `sort` compares. */
function object(value: Record<string, unknown>): string {
  const kind: unknown = Object.getPrototypeOf(value);
  if (kind !== Object.prototype && kind !== null) throw new TypeError('only plain data has a canonical form');
  let out = '';
  for (const name of Object.keys(value).sort()) {
    if (value[name] !== undefined) out += `${out === '' ? '{' : ','}${text(name)}:${canonical(value[name])}`;
  }
  return out === '' ? '{}' : `${out}}`;
}
