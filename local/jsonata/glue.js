// Step Functions' dialect of JSONata on top of the official library: the functions it adds, the one it removes
// (Step Functions developer guide, "Transforming data with JSONata in Step Functions"), and one call that turns the
// library's promise into a plain record.
(function (jsonata, host) {
  "use strict";
  const compiled = new Map();
  const paths = new Map();

  function fail(code, message) {
    throw { code: code, message: message };
  }

  function range(first, last, step) {
    if (step === 0) fail("D3001", "The step of $range must not be zero");
    const out = [];
    for (let i = first; step > 0 ? i <= last : i >= last; i += step) {
      if (out.length === 1000) fail("D2014", "$range must not give more than 1000 values");
      out.push(i);
    }
    return out.length === 1 ? out[0] : out; // a sequence of one value is that value
  }

  function partition(array, size) {
    if (!(size >= 1)) fail("D3001", "The size of $partition must be positive");
    const out = [];
    for (let i = 0; i < array.length; i += Math.floor(size)) {
      out.push(array.slice(i, i + Math.floor(size)));
    }
    return out;
  }

  function parse(text) {
    try {
      return JSON.parse(text);
    } catch (e) {
      fail("D3001", "The argument of $parse is not valid JSON");
    }
  }

  function hash(text, algorithm) {
    const sum = host.hash(text, algorithm);
    if (sum === "") fail("D3001", "The algorithm of $hash must be one of MD5, SHA-1, SHA-256, SHA-384, SHA-512");
    return sum;
  }

  function compile(text) {
    let e = compiled.get(text);
    if (e === undefined) {
      e = jsonata(text);
      e.registerFunction("partition", partition, "<an:a>");
      e.registerFunction("range", range, "<nnn:x>");
      e.registerFunction("hash", hash, "<ss:s>");
      e.registerFunction("random", (seed) => (seed === undefined ? host.random() : host.seeded(seed)), "<n?:n>");
      e.registerFunction("uuid", () => host.uuid(), "<:s>");
      e.registerFunction("parse", parse, "<s:x>");
      e.assign("eval", undefined);
      compiled.set(text, e);
    }
    return e;
  }

  // steps of a path of plain names that starts at a variable, e.g. $states.input.client; null for any other expression.
  function steps(text) {
    let s = paths.get(text);
    if (s === undefined) {
      s = /^\$[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/.test(text) ? text.slice(1).split(".") : null;
      paths.set(text, s);
    }
    return s;
  }

  // walk gives the value at the end of such a path through objects. It is undefined where the library has to say what
  // the expression means: for anything about arrays, and for what is not there.
  function walk(path, variables) {
    let v = variables;
    for (const name of path) {
      if (v === null || typeof v !== "object" || Array.isArray(v) || !Object.prototype.hasOwnProperty.call(v, name)) return undefined;
      v = v[name];
    }
    return Array.isArray(v) ? undefined : v;
  }

  function isFunction(v) {
    return typeof v === "function" || (v && (v._jsonata_function === true || v._jsonata_lambda === true));
  }

  function encode(value) {
    return JSON.stringify(value, (key, v) => {
      if (isFunction(v)) fail("D1004", "The result holds a function, which has no JSON form");
      if (typeof v === "number" && !isFinite(v)) fail("D1001", "The result holds a number out of range");
      return v;
    });
  }

  function problem(e) {
    return { kind: "error", code: String((e && e.code) || ""), text: String((e && e.message) || e) };
  }

  return {
    check: function (text) {
      try {
        compile(text);
        return null;
      } catch (e) {
        return problem(e);
      }
    },
    evaluate: function (text, bindings) {
      const variables = JSON.parse(bindings);
      const path = steps(text); // most expressions are one, and the library's promises take several times as long
      const found = path && walk(path, variables);
      if (found !== null && found !== undefined) return { kind: "value", text: encode(found) };
      const out = { kind: "pending" };
      const set = (r) => Object.assign(out, r);
      Promise.resolve()
        .then(() => compile(text).evaluate(undefined, variables))
        .then((v) => set(v === undefined ? { kind: "undefined" } : { kind: "value", text: encode(v) }))
        .catch((e) => set(problem(e)));
      return out;
    },
  };
})
