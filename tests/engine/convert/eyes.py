"""libmtmd on one image, for comparing the embeddings it computes with another implementation's."""

import ctypes
from pathlib import Path

import llama_cpp.llama_cpp as api
import llama_cpp.mtmd_cpp as mtmd
import numpy as np
from numpy.typing import NDArray

_IMAGE_CHUNK = 1


@api.llama_log_callback
def _silent(_level: int, _text: bytes, _data: ctypes.c_void_p) -> None:
    """Take the libraries' log off stderr."""


def embeddings(model: Path, mmproj: Path, image: NDArray[np.uint8], width: int) -> NDArray[np.float32]:
    """What mtmd makes of an RGB `image` (height, width, 3), shape (tokens, `width`). `model` is the text model it goes with."""
    api.llama_log_set(_silent, ctypes.c_void_p(0))
    mtmd.mtmd_helper_log_set(_silent, ctypes.c_void_p(0))
    api.llama_backend_init()
    text_model = api.llama_model_load_from_file(str(model).encode(), api.llama_model_default_params())
    parameters = mtmd.mtmd_context_params_default()
    parameters.use_gpu, parameters.print_timings, parameters.n_threads = False, False, 1
    parameters.flash_attn_type, parameters.warmup = 0, False
    context = mtmd.mtmd_init_from_file(str(mmproj).encode(), text_model, parameters)
    assert context, "libmtmd refuses the file"
    assert mtmd.mtmd_support_vision(context)
    chunks = _chunks(context, image)
    try:
        for index in range(mtmd.mtmd_input_chunks_size(chunks)):
            chunk = mtmd.mtmd_input_chunks_get(chunks, index)
            if mtmd.mtmd_input_chunk_get_type(chunk) == _IMAGE_CHUNK:
                assert mtmd.mtmd_encode_chunk(context, chunk) == 0
                tokens = mtmd.mtmd_input_chunk_get_n_tokens(chunk)
                return np.ctypeslib.as_array(mtmd.mtmd_get_output_embd(context), (tokens * width,)).reshape(tokens, width).copy()
        raise AssertionError("mtmd made no image chunk")
    finally:
        mtmd.mtmd_input_chunks_free(chunks)
        mtmd.mtmd_free(context)
        api.llama_model_free(text_model)


def _chunks(context: ctypes.c_void_p, image: NDArray[np.uint8]) -> ctypes.c_void_p:
    data = np.ascontiguousarray(image)
    bitmap = mtmd.mtmd_bitmap_init(image.shape[1], image.shape[0], data.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8)))
    chunks = mtmd.mtmd_input_chunks_init()
    text = mtmd.mtmd_input_text()
    marker = mtmd.mtmd_default_marker()
    text.text, text.text_len, text.add_special, text.parse_special = marker, len(marker), False, True
    bitmaps = (ctypes.c_void_p * 1)(bitmap)
    assert mtmd.mtmd_tokenize(context, chunks, ctypes.byref(text), bitmaps, 1) == 0
    mtmd.mtmd_bitmap_free(bitmap)
    return chunks
