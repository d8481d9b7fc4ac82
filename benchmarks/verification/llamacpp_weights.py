"""Another quantisation of a GGUF, as a provider would make it who promises Q4_1 and serves what is smaller."""

from __future__ import annotations

from pathlib import Path

import gguf
from gguf.quants import dequantize, quantize


def requantise_gguf(source: Path, target: Path, kind: str) -> int:
    """Writes `source` again with every Q4_1 matrix as `kind` ("Q4_0"); all else stays as it is. Returns how many
    matrices changed.

    From the dequantised Q4_1 numbers, not from the originals: so the distance to Q4_1 is that of one rounding alone,
    the hardest case to see.
    """
    wanted, changed = gguf.GGMLQuantizationType[kind], 0
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, "llama")
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name in ("general.architecture", "general.file_type"):
            continue
        sub = field.types[1] if field.types[0] is gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=sub)
    for tensor in reader.tensors:
        data, written = tensor.data, tensor.tensor_type
        if written is gguf.GGMLQuantizationType.Q4_1:
            data, written = quantize(dequantize(data, written), wanted), wanted
            changed += 1
        writer.add_tensor(tensor.name, data, raw_dtype=written)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return changed
