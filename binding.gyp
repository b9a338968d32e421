# Only a pointer: CMakeLists.txt is the build. The action's output is never created, so the action always runs and
# leaves the question of what is stale to CMake.
{
  "targets": [
    {
      "target_name": "sklar",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "inputs": [],
          "outputs": ["<(PRODUCT_DIR)/always-run-cmake"],
          "action": ["node", "<(module_root_dir)/scripts/build-native.mjs", "--config", "$(BUILDTYPE)"]
        }
      ]
    }
  ]
}
