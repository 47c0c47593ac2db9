"""What the details of a problem say, in Chinese.

English is what the code raises; here stands, once, what it means in Chinese, as in a catalogue of translations. A text with
something variable in it has `{name}` there in both. A detail that is not in the catalogue is told by the code of its error, and
a field's otherwise in English: that is less, and never wrong.
"""

from __future__ import annotations

import re
from functools import cache

_TEXTS: dict[str, str] = {
    # --- of the form of a request, as pydantic says it
    "Field required": "缺少该字段",
    "Extra inputs are not permitted": "没有该字段；请删除",
    "Input should be a valid string": "应为字符串",
    "Input should be a valid integer": "应为整数",
    "Input should be a valid boolean": "应为 true 或 false",
    "Input should be a valid list": "应为数组",
    "Input should be a valid dictionary": "应为对象",
    "Input should be an object": "应为对象",
    "Input should be a valid dictionary or instance of {form}": "应为对象（{form}）",
    "Input should be {options}": "应为以下之一：{options}",
    "Input should be greater than or equal to {least}": "不得小于 {least}",
    "Input should be greater than {least}": "应大于 {least}",
    "Input should be less than or equal to {most}": "不得大于 {most}",
    "Input should be less than {most}": "应小于 {most}",
    "Input should be a valid integer, got a number with a fractional part": "应为整数，不得有小数",
    "Input should be a valid integer, unable to parse string as an integer": "应为整数",
    "Unable to parse input string as an integer, exceeded maximum size": "整数过大",
    "String should match pattern '{pattern}'": "格式不符：{pattern}",
    "String should have at most {most} character": "最多 {most} 个字符",
    "String should have at most {most} characters": "最多 {most} 个字符",
    "String should have at least {least} character": "至少 {least} 个字符",
    "String should have at least {least} characters": "至少 {least} 个字符",
    "List should have at most {most} items after validation, not {found}": "最多 {most} 项，现有 {found} 项",
    "List should have at least {least} item after validation, not {found}": "至少 {least} 项，现有 {found} 项",
    # --- of the form of a request, as this project says it
    "bytes are base64url (A-Z a-z 0-9 - _) without padding": "字节以 base64url 表示（A-Z a-z 0-9 - _），不带填充符",
    "bytes are base64url without padding; this length cannot be one": "字节以 base64url 表示，不带填充符；该长度不可能正确",
    "bytes are base64url in canonical form; the last character has stray bits": "base64url 须为规范形式；末字符有多余的位",
    "bytes are a base64url string": "字节以 base64url 字符串表示",
    "at most {bytes} bytes ({characters} characters) stand here": "此处最多 {bytes} 字节（{characters} 个字符）",
    "{least} to {most} bytes stand here, got {found}": "此处应为 {least} 至 {most} 字节，实为 {found} 字节",
    "{bytes} bytes stand here, got {found}": "此处应为 {bytes} 字节，实为 {found} 字节",
    "write digits only": "仅限数字",
    "a name is printable text": "名称须为可打印文字",
    "this is another id than that of the path": "与路径中的编号不一致",
    "not JSON as this service reads it: {reason}": "不是本服务可读的 JSON（{reason}）",
    "the JSON is nested too deeply": "嵌套过深",
    "a name stands twice in one JSON object": "同一对象中字段名重复",
    "{constant} is not JSON": "{constant} 不是 JSON",
    # --- of points and proofs that cannot be read
    "an element is {bytes} bytes, got {found}": "曲线点为 {bytes} 字节，实为 {found} 字节",
    "an element starts with the byte 02 or 03": "曲线点以字节 02 或 03 开头",
    "the x coordinate is not below the field prime": "x 坐标不小于域的素数",
    "not a point of the curve": "不是曲线上的点",
    "a scalar is {bytes} bytes, got {found}": "标量为 {bytes} 字节，实为 {found} 字节",
    "the scalar is not below the group order": "标量不小于群的阶",
    "a commitment with its handles is {bytes} bytes, got {found}": "承诺及其句柄共 {bytes} 字节，实为 {found} 字节",
    "this sigma proof is {bytes} bytes, got {found}": "该 sigma 证明应为 {bytes} 字节，实为 {found} 字节",
    "this range proof is {bytes} bytes, got {found}": "该范围证明应为 {bytes} 字节，实为 {found} 字节",
    "the scheme of a range proof is {scheme}, not {found}": "范围证明的方案应为 {scheme}，实为 {found}",
    # --- of a line
    "the document stands on an earlier line, too": "该单证已在前面的行中出现",
    "no such document": "没有该单证",
    "the draft has expired": "草案已过期",
    "the proof does not satisfy its verification equation": "证明不满足验证方程",
    "the draw is closed": "该笔登记已结清",
    "the attester is not one of this log": "签发方不属于本日志",
    "this log has no documents of this kind; see its parameters for the kinds it has": "本日志没有此类单证；可用种类见参数",
    "the regulator's key epoch is not the present one; fetch the parameters again": "监管方密钥期次已变；请重新获取参数",
}

_REASONS: dict[str, str] = {
    "error": "有误",
    "length": "长度不符",
    "point": "不是规范编码的曲线点",
    "identity": "此处不得为单位元",
    "scalar": "标量超出范围",
    "encoding": "编码不规范",
    "instance": "线性关系不合规则",
    "context": "证明的上下文不符",
    "key": "公钥未被接受",
    "amount": "金额超出范围",
    "sigma": "证明不成立",
    "range": "范围证明不成立",
    "evaluation": "盲评估与公布的密钥不符",
    "batch": "其中有证明不成立",
    "witness": "证明方的数据不满足所证内容",
    "opening": "承诺无法打开",
    "memo": "密封附言无法打开",
    "state": "与当前状态不符",
    "engine": "运算引擎不可用",
}


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Every text with its Chinese. Those with the most fixed letters come first: they say the most."""
    ordered = sorted(_TEXTS.items(), key=lambda text: -len(re.sub(r"\{\w+\}", "", text[0])))
    return tuple((re.compile(_pattern(english), re.DOTALL), chinese) for english, chinese in ordered)


def _pattern(english: str) -> str:
    parts = re.split(r"\{(\w+)\}", english)
    return "".join(f"(?P<{part}>.{{1,200}}?)" if index % 2 else re.escape(part) for index, part in enumerate(parts))


def in_chinese(english: str, code: str = "") -> str:
    """A detail in Chinese; failing that what its error's code says; failing that as it is.

    `code`: of the closed family in zkcore.errors, or nothing.
    """
    for pattern, chinese in _patterns():
        if found := pattern.fullmatch(english):
            return chinese.format_map({**found.groupdict(), **_inner(found)})
    return _REASONS.get(code, english)


def _inner(found: re.Match[str]) -> dict[str, str]:
    """The variable part that is a text of its own."""
    reason = found.groupdict().get("reason")
    return {} if reason is None else {"reason": in_chinese(reason)}
