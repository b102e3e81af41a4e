"""The C interface as Python's ctypes meets it: ctypes_test.py LIBPTRUN WEIGHTS PHOTOS.

Nothing here comes from the header but the order of the fields, which is what the interface promises.
"""

import ctypes
import pathlib
import queue
import sys
from ctypes import POINTER, byref, c_char_p, c_float, c_int32, c_int64, c_size_t, c_uint8, c_uint64, c_void_p


class PredictOptions(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t), ("device", c_char_p), ("precision", c_int32), ("batch_size", c_int32),
        ("workers", c_int32), ("threads_per_worker", c_int32), ("expected_images", c_uint64), ("topk", c_int32),
        ("activation", c_int32), ("confidence", c_float), ("iou", c_float), ("max_detections", c_int32),
        ("max_image_pixels", c_uint64), ("max_image_bytes", c_uint64), ("log", c_void_p), ("log_user", c_void_p),
        ("fast_decode", c_int32),
    ]  # fmt: skip


class Input(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t), ("path", c_char_p), ("bytes", c_char_p), ("byte_count", c_size_t),
        ("pixels", POINTER(c_uint8)), ("width", c_int32), ("height", c_int32), ("stride", c_size_t),
        ("format", c_int32), ("name", c_char_p),
    ]  # fmt: skip


class Class(ctypes.Structure):
    _fields_ = [("index", c_int32), ("score", c_float), ("label", c_char_p)]


class Point(ctypes.Structure):
    _fields_ = [("x", c_float), ("y", c_float)]


class ResultInfo(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t), ("status", c_int32), ("logits", c_int32), ("message", c_char_p), ("stage", c_char_p),
        ("task", c_char_p), ("mode", c_char_p), ("width", c_int32), ("height", c_int32), ("exif_orientation", c_int32),
        ("image_width", c_int32), ("image_height", c_int32), ("image", c_void_p), ("segment_map", c_void_p),
        ("embedding", c_void_p), ("embedding_count", c_size_t), ("decoded_at", c_int32),
    ]  # fmt: skip


class ModelInfo(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t), ("kind", c_char_p), ("architecture", c_char_p), ("task", c_char_p),
        ("labels_source", c_char_p), ("parameters", c_int64), ("label_count", c_size_t), ("note_count", c_size_t),
        ("input_height", c_int32), ("input_width", c_int32),
    ]  # fmt: skip


CALLBACK = ctypes.CFUNCTYPE(None, c_void_p, c_void_p)


def main():
    library, weights, photos = sys.argv[1:]
    ptrun = ctypes.CDLL(library)
    ptrun.ptrun_last_error.restype = c_char_p
    ptrun.ptrun_status_name.restype = c_char_p

    def call(name, *arguments, expected=0):
        status = getattr(ptrun, name)(*arguments)
        assert status == expected, (name, ptrun.ptrun_status_name(status), ptrun.ptrun_last_error())

    model, predictor = c_void_p(), c_void_p()
    call("ptrun_load", weights.encode(), None, byref(model))
    info = ModelInfo(size=ctypes.sizeof(ModelInfo))
    call("ptrun_model_get_info", model, byref(info))
    assert (info.kind, info.architecture, info.label_count) == (b"state_dict", b"mobilenet_v2", 1000)
    assert (info.parameters, info.input_height, info.input_width) == (3504872, 224, 224)

    options = PredictOptions()
    call("ptrun_predict_options_init", byref(options), c_size_t(ctypes.sizeof(options)))
    assert (options.topk, round(options.confidence, 3), round(options.iou, 3)) == (5, 0.25, 0.7)
    options.topk = 2
    call("ptrun_predictor_create", model, byref(options), byref(predictor))

    def check_info(result):
        known = ResultInfo(size=ctypes.sizeof(ResultInfo))
        call("ptrun_result_get_info", result, byref(known))
        assert (known.task, known.decoded_at) == (b"classify", 1) and known.mode in (b"RGB", b"L")
        assert known.width > 0 and known.height > 0
        known = ResultInfo(size=104, decoded_at=77)  # as version 1 of the interface has it
        call("ptrun_result_get_info", result, byref(known))
        assert (known.task, known.decoded_at) == (b"classify", 77)
        corners, count = POINTER(Point)(), c_size_t(5)
        call("ptrun_result_get_corners", result, byref(corners), byref(count))
        assert not corners and count.value == 0

    def classes(result):
        items, count = POINTER(Class)(), c_size_t()
        call("ptrun_result_get_classes", result, byref(items), byref(count))
        found = [(items[i].index, items[i].label.decode(), items[i].score) for i in range(count.value)]
        call("ptrun_result_free", result)
        call("ptrun_result_free", result, expected=1)
        return found

    names = sorted(str(path) for path in pathlib.Path(photos).glob("*.jpg"))
    assert len(names) >= 2
    one_by_one = {}
    for name in names:
        result = c_void_p()
        call("ptrun_predict_file", predictor, name.encode(), byref(result))
        check_info(result)
        one_by_one[name] = classes(result)
        assert len(one_by_one[name]) == 2
    cat = next(name for name in names if name.endswith("cat.jpg"))
    assert one_by_one[cat][0][:2] == (285, "Egyptian cat"), one_by_one[cat]

    answers = queue.Queue()
    callback = CALLBACK(lambda user, result: answers.put((user, classes(c_void_p(result)))))
    for number, name in enumerate(names):
        image = Input(size=ctypes.sizeof(Input), path=name.encode())
        call("ptrun_predict_async", predictor, byref(image), callback, c_void_p(number + 1), None)
    together = dict(answers.get(timeout=120) for _ in names)
    assert {name: together[number + 1] for number, name in enumerate(names)} == one_by_one

    result = c_void_p()
    call("ptrun_predict_file", model, cat.encode(), byref(result), expected=1)
    assert b"is a ptrun_model, expected a ptrun_predictor" in ptrun.ptrun_last_error()
    call("ptrun_predictor_free", predictor)
    call("ptrun_predict_file", predictor, cat.encode(), byref(result), expected=1)
    call("ptrun_model_free", model)


main()
