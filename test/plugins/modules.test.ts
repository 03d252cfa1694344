// The tests of the modules around the app, one a file. By hand: PYTHONPATH=lib/plugins python3 -S test/plugins/test_whole.py
// What uvicorn makes of them is tried with it: test/servers/guard.suite.ts and drain.suite.ts
import { PythonModules } from '../python-modules';

new PythonModules(__dirname, 'plugins').testEach();
