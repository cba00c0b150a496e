"""The service without a server and without triggerd."""
import unittest

from service import Hello
from trigger_service import TestHost, ok, reject


class HelloTest(unittest.TestCase):
    def test_greets_visitors(self) -> None:
        with TestHost(Hello) as host:
            self.assertEqual(host.send("plant/a/visitors", "Ada"), ok())
            self.assertEqual(host.logs, [("info", "hello Ada")])
            self.assertEqual(host.send("plant/a/visitors"), reject("nobody to greet"))
            self.assertEqual(host.send("plant/a/visitors", b"\xff"),
                             reject("the payload must be text"))


if __name__ == "__main__":
    unittest.main()
