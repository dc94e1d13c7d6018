import dis

from anygate.observe.record import Attempt, Record


def store(record: Record) -> None:
    record.status = 200


def test_stores_are_those_of_a_plain_class():
    record = Record("id", 0)
    for _ in range(100):
        store(record)
    assert "STORE_ATTR_SLOT" in {step.opname for step in dis.get_instructions(store, adaptive=True)}
    assert record == Record("id", 0, status=200)


def test_each_record_has_attempts_of_its_own():
    one, other = Record("1", 0), Record("2", 0)
    one.attempts.append(Attempt("main", 0, "first"))
    one.attempts[0].status = 200
    assert one.attempts == [Attempt("main", 200, "first")]
    assert other.attempts == []
