// Runs files in ONNX Runtime Web beside what the models said; used by a page, and by hand in node.

const ARRAYS = { float32: Float32Array, int64: BigInt64Array };

function tensor(ort, { dtype, shape, data }) {
  const numbers = dtype === "int64" ? data.map(BigInt) : data;
  return new ort.Tensor(dtype, ARRAYS[dtype].from(numbers), shape);
}

function farthest(found, wanted) {
  if (found.length !== wanted.length) return Infinity;
  let largest = 0;
  wanted.forEach((right, i) => {
    const apart = Math.abs(Number(found[i]) - right) / Math.max(1, Math.abs(right));
    largest = Math.max(largest, Number.isNaN(apart) ? Infinity : apart);
  });
  return largest;
}

/** Largest difference of a file from its model, which is called once for each of `calls`; states go
 * from call to call. calls: {given, wanted}; states: before the first, by their names. */
export async function difference(ort, file, { calls, states }) {
  const session = await ort.InferenceSession.create(file, { executionProviders: ["wasm"] });
  let largest = 0, numbers = 0;
  let carried = Object.entries(states).map(([name, one]) => [name, tensor(ort, one)]);
  for (const { given, wanted } of calls) {
    const inputs = Object.entries(given).map(([name, one]) => [name, tensor(ort, one)]);
    const found = await session.run(Object.fromEntries([...inputs, ...carried]));
    carried = carried.map(([name]) => [name, found[name.replace("_in", "_out")]]);
    for (const [name, one] of Object.entries(wanted)) {
      largest = Math.max(largest, farthest(found[name].data, one.data));
      numbers += one.data.length;
    }
  }
  await session.release();
  return { largest, numbers };
}
