from tests.engines.each import ENGINES
def test_a(): assert ENGINES
